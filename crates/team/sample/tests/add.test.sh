./todo add Water the plants >/dev/null
[ "$(cat "$TODO_FILE")" = "- [ ] Water the plants" ]
! ./todo add 2>/dev/null
