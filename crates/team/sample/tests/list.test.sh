[ "$(./todo list)" = "nothing to do" ]
./todo add one >/dev/null
./todo add two >/dev/null
[ "$(./todo list | tail -1)" = "  2  two" ]
