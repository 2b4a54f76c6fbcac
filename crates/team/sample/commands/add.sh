# help: add <text>    put an item on the list
if [ $# -eq 0 ]; then
  echo "todo: say what to add" >&2
  exit 2
fi
echo "- [ ] $*" >>"$TODO_FILE"
echo "added: $*"
