# help: list          show what is open
awk '/^- \[ \] / { sub(/^- \[ \] /, ""); printf "%3d  %s\n", NR, $0; open++ }
  END { if (!open) print "nothing to do" }' "$TODO_FILE"
