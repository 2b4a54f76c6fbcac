./todo help | grep -q "add <text>"
! ./todo nonsense 2>/dev/null
