# help: help          show this list
echo "usage: todo <command>"
for file in "$TODO_HOME"/commands/*.sh; do
  sed -n '1s/^# help: /  /p' "$file"
done
