#!/usr/bin/env bash
# Makes what a hostile agent or a hostile repository leaves for git to find: settings, hooks and files by which git runs
# programs, follows links, waits or falls over.
#
#   hostile.sh plants                        the names of what can be planted in a worktree
#   hostile.sh plant NAME TREE GIT MARKS     plants one in TREE and in the agent's git folder GIT
#   hostile.sh sources                       the names of repositories that can be made
#   hostile.sh source NAME FOLDER MARKS      makes one in FOLDER
#
# Whatever git is brought to run or to write outside leaves a file in the folder MARKS, which stays empty when all is well.
set -u

quiet_git() {
  git -c init.defaultBranch=main -c user.name=x -c user.email=x@example.com -c safe.directory='*' \
    -c protocol.file.allow=always "$@" >/dev/null 2>&1
}

# The line that leaves the mark, and a program that does so and hands on what it reads.
mark_line() { printf "touch '%s/%s'" "$marks" "$name"; }
program() { # program FILE
  mkdir -p "$(dirname "$1")"
  printf '#!/bin/sh\n%s\ncat\nexit 0\n' "$(mark_line)" >"$1"
  chmod 755 "$1"
}

hook_names="applypatch-msg pre-applypatch post-applypatch pre-commit pre-merge-commit prepare-commit-msg commit-msg
post-commit pre-rebase post-checkout post-merge pre-push pre-receive update proc-receive post-receive post-update
reference-transaction push-to-checkout pre-auto-gc post-rewrite sendemail-validate fsmonitor-watchman post-index-change
pre-clone"
hooks() { # hooks FOLDER
  local hook
  for hook in $hook_names; do program "$1/$hook"; done
}

# The same settings wherever git might look for them: in the agent's git folder, in a repository in place of the worktree's
# `.git`, in a nested one.
settings() {
  local text=$1 config
  rm -rf "$tree/.git"
  quiet_git init "$tree"
  quiet_git init "$tree/nested"
  echo kept >"$tree/nested/inner.txt"
  mkdir -p "$git"
  for config in "$git/config" "$tree/.git/config" "$tree/nested/.git/config"; do
    printf '%s\n' "$text" >>"$config"
  done
  echo changed >"$tree/src/a.txt"
}

run_settings() { # settings that name a program, each in every spelling
  cat <<END
[core]
	fsmonitor = $1
	hooksPath = $tree/.evil-hooks
	pager = $1
	editor = $1
	sshCommand = $1
	askPass = $1
	gitProxy = $1
	alternateRefsCommand = $1
[diff]
	external = $1
[diff "evil"]
	command = $1
	textconv = $1
	cachetextconv = false
[merge]
	default = evil
[merge "evil"]
	name = evil
	driver = $1 %A %O %B
	recursive = evil
[filter "evil"]
	clean = $1
	smudge = $1
	process = $1
	required = true
[filter "lfs"]
	clean = $1
	smudge = $1
	process = $1
	required = true
[gpg]
	program = $1
[gpg "ssh"]
	program = $1
	defaultKeyCommand = $1
[commit]
	gpgSign = true
[log]
	showSignature = true
[credential]
	helper = !$1
[pager]
	diff = $1
	log = $1
	show = $1
[interactive]
	diffFilter = $1
[sequence]
	editor = $1
[uploadpack]
	packObjectsHook = $1
[trailer "evil"]
	command = $1
[alias]
	status = !$1
	diff-tree = !$1
	update-index = !$1
[maintenance]
	auto = true
[gc]
	auto = 1
END
}

evil_git() { # a git folder of its own with all of it
  quiet_git init --bare "$1"
  run_settings "$tree/.evil" >>"$1/config"
  hooks "$1/hooks"
}

plant_settings() {
  program "$tree/.evil"
  hooks "$tree/.evil-hooks"
  settings "$(run_settings "$tree/.evil")"
  printf '* filter=evil diff=evil merge=evil\n' >"$tree/.gitattributes"
  mkdir -p "$git/info"
  cp "$tree/.gitattributes" "$git/info/attributes"
}
plant_lines() { # the same by shell lines rather than programs
  settings "$(run_settings "$(mark_line);true")"
  printf '* filter=evil diff=evil merge=evil\n' >"$tree/.gitattributes"
}
plant_hooks() {
  settings ""
  local folder
  for folder in "$git/hooks" "$tree/.git/hooks" "$tree/nested/.git/hooks" "$tree/hooks"; do hooks "$folder"; done
}
plant_includes() {
  program "$tree/.evil"
  run_settings "$tree/.evil" >"$tree/evil.config"
  settings "[extensions]
	worktreeConfig = true
[include]
	path = $tree/evil.config
[includeIf \"gitdir:/\"]
	path = $tree/evil.config"
  cp "$tree/evil.config" "$git/config.worktree"
  cp "$tree/evil.config" "$tree/.git/config.worktree"
}
plant_elsewhere() {
  settings "[core]
	worktree = $marks
	bare = false"
}
plant_gitfile() {
  program "$tree/.evil"
  evil_git "$tree/.evil-git"
  rm -rf "$tree/.git"
  echo "gitdir: $tree/.evil-git" >"$tree/.git"
  echo "$tree/.evil-git" >"$git/commondir"
  echo changed >"$tree/src/a.txt"
}
plant_gitlink() {
  program "$tree/.evil"
  evil_git "$tree/.evil-git"
  rm -rf "$tree/.git"
  ln -s .evil-git "$tree/.git"
  mkdir -p "$tree/sub"
  ln -s ../.evil-git "$tree/sub/.git"
  echo changed >"$tree/src/a.txt"
}
plant_nested() {
  program "$tree/.evil"
  evil_git "$tree/bare.git"
  mkdir -p "$tree/linked" "$tree/src/deep"
  echo "gitdir: $tree/bare.git" >"$tree/linked/.git"
  echo kept >"$tree/linked/file"
  quiet_git init "$tree/src/deep"
  run_settings "$tree/.evil" >>"$tree/src/deep/.git/config"
  echo kept >"$tree/src/deep/file"
  quiet_git -C "$tree/src/deep" -c core.fsmonitor=false add file
  echo changed >"$tree/src/a.txt"
}
plant_submodules() {
  cat >"$tree/.gitmodules" <<END
[submodule "../../hooks"]
	path = one
	url = ext::sh -c $(mark_line | tr ' ' '%')
	update = !$(mark_line)
[submodule "two"]
	path = --upload-pack=$(mark_line)
	url = -u$(mark_line)
[submodule "three"]
	path = nested
	url = ./nested
	fetchRecurseSubmodules = true
END
  settings "[submodule]
	recurse = true
	active = .
[submodule \"three\"]
	url = ext::sh -c $(mark_line | tr ' ' '%')
	update = !$(mark_line)
[protocol]
	allow = always"
  quiet_git -C "$tree/nested" add inner.txt
  quiet_git -C "$tree/nested" commit -m x
  mkdir -p "$tree/--upload-pack=x"
  echo x >"$tree/--upload-pack=x/file"
}
plant_names() {
  local odd
  for odd in 'git~1' '.GIT' $'.g\u200cit' '.git ' '.git.' '.git::$INDEX_ALLOCATION' 'GIT~1' '.gitmodules~1' \
    '-u' '--exec=x' $'new\nline' $'tab\t' ':(exclude)*' '"quoted"' "'single'" '$(touch x)' '`touch x`' $'\xff\xfe' \
    'refs' 'HEAD' 'objects' 'back\slash' 'con' 'aux.txt' 'a:b'; do
    mkdir -p "$tree/$odd/hooks" 2>/dev/null && program "$tree/$odd/hooks/post-checkout"
    program "$tree/dir/$odd" 2>/dev/null
  done
  rm -f "$tree/.gitmodules"
  ln -s "$marks/x" "$tree/.gitmodules"
  echo changed >"$tree/src/a.txt"
}
plant_rubbish() { # in the agent's git folder, whatever git reads first
  mkdir -p "$git/refs/heads" "$git/refs/replace" "$git/info" "$git/objects/info" "$git/objects/pack"
  head -c 4096 /dev/urandom >"$git/index"
  head -c 4096 /dev/urandom >"$git/packed-refs"
  echo 'ref: refs/heads/../../../config' >"$git/HEAD"
  echo x >"$git/refs/heads/-u.lock"
  echo x >"$git/refs/heads/a..b"
  echo "$marks" >"$git/objects/info/alternates"
  echo 'http://127.0.0.1:9/' >"$git/objects/info/http-alternates"
  echo "$(printf '%040d' 0) $(printf '%040d' 1)" | tee "$git/info/grafts" "$git/shallow" >/dev/null
  head -c 64 /dev/urandom >"$git/objects/pack/pack-$(printf '%040d' 2).idx"
  printf 'x' >"$git/index.lock"
  echo changed >"$tree/src/a.txt"
}
plant_attributes() {
  program "$tree/.evil"
  settings "$(run_settings "$tree/.evil")"
  cat >"$tree/.gitattributes" <<END
[attr]evil filter=evil diff=evil merge=evil
* evil export-subst ident text eol=crlf
*.txt working-tree-encoding=UTF-16 whitespace=trailing-space
*.bin filter=lfs diff=lfs merge=lfs -text
END
  cp "$tree/.gitattributes" "$tree/src/.gitattributes"
  printf '$Format:%%(trailers:key=x)$ $Id$\n' >"$tree/subst.c"
  printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >"$tree/large.bin"
  printf '[lfs]\n\turl = ext::sh\n' >"$tree/.lfsconfig"
  printf '\xff\xfec\x00' >"$tree/src/a.txt"
}
plant_pipes() {
  rm -f "$tree/.gitignore"
  quiet_git init "$tree/nested"
  rm -f "$tree/nested/.git/HEAD"
  mkfifo "$tree/.gitignore" "$tree/.gitattributes" "$tree/src/.gitignore" "$tree/src/.gitattributes" \
    "$tree/nested/.git/HEAD" "$tree/pipe.rs"
  echo changed >"$tree/src/a.txt"
}
plant_deep() { # deeper than a path can say
  (cd "$tree" && perl -e 'my $d = "d" x 100; for (1 .. 60) { mkdir $d; chdir $d or die; open(my $f, ">", "f"); print $f $_; }')
  echo changed >"$tree/src/a.txt"
}
plant_closed() {
  mkdir -p "$tree/closed/inner"
  echo kept >"$tree/closed/inner/file"
  echo unread >"$tree/unread"
  echo changed >"$tree/src/a.txt"
  chmod 000 "$tree/unread" "$tree/closed/inner" "$tree/closed"
  chmod 555 "$tree/src"
}
plant_written() { # links where the host writes
  local place
  rm -rf "$git"
  mkdir -p "$git/refs"
  for place in config index HEAD refs/heads objects hooks info commondir; do ln -s "$marks/$name" "$git/$place"; done
  rm -rf "$tree/.git"
  ln -s "$marks/$name" "$tree/.git"
  echo changed >"$tree/src/a.txt"
}
plant_links() {
  rm -rf "$tree/src"
  ln -s "$marks" "$tree/src"
  ln -s loop-b "$tree/loop-a"
  ln -s loop-a "$tree/loop-b"
  ln -s . "$tree/here"
  ln -s / "$tree/root"
  rm -f "$tree/README.md"
  ln -s "$marks/README.md" "$tree/README.md"
}

plants="settings lines hooks includes elsewhere gitfile gitlink nested submodules names rubbish attributes pipes deep closed written links"

# A repository with a commit or two.
begin() {
  mkdir -p "$tree/src"
  quiet_git init "$tree"
  echo '# It' >"$tree/README.md"
  printf 'one\ntwo\nthree\n' >"$tree/src/a.txt"
  quiet_git -C "$tree" add .
  quiet_git -C "$tree" commit -m First
}
tree_with() { # a commit whose tree holds this name, with a hook in it, and that the branch is put on
  local blob inner outer commit
  blob=$(git -C "$tree" hash-object -w "$tree/.evil")
  inner=$(printf '100755 blob %s\tpost-checkout\n' "$blob" | git -C "$tree" mktree)
  inner=$(printf '040000 tree %s\thooks\n' "$inner" | git -C "$tree" mktree)
  outer=$( (git -C "$tree" ls-tree HEAD; printf '040000 tree %s\t%s\n' "$inner" "$1") | git -C "$tree" mktree)
  commit=$(git -C "$tree" -c user.name=x -c user.email=x@example.com commit-tree -m Odd -p HEAD "$outer")
  git -C "$tree" update-ref refs/heads/main "$commit"
}
source_settings() {
  begin
  printf '* filter=evil diff=evil merge=evil\n' >"$tree/.gitattributes"
  quiet_git -C "$tree" add .gitattributes
  quiet_git -C "$tree" commit -m Attributes
  program "$tree/.evil"
  hooks "$tree/.git/hooks"
  hooks "$tree/.evil-hooks"
  run_settings "$tree/.evil" >>"$tree/.git/config"
}
source_gitfile() {
  begin
  program "$tree/.evil"
  mv "$tree/.git" "$tree/.elsewhere"
  hooks "$tree/.elsewhere/hooks"
  run_settings "$tree/.evil" >>"$tree/.elsewhere/config"
  echo "gitdir: $tree/.elsewhere" >"$tree/.git"
}
source_refs() {
  begin
  local head other
  head=$(git -C "$tree" rev-parse HEAD)
  other=$(git -C "$tree" -c user.name=x -c user.email=x@example.com commit-tree -m Replaced "HEAD^{tree}")
  quiet_git -C "$tree" replace "$head" "$other"
  mkdir -p "$tree/.git/refs/heads/-u" "$tree/.git/info"
  echo "$head" >"$tree/.git/refs/heads/-u/x"
  echo "$head" >"$tree/.git/refs/heads/--upload-pack=x"
  echo "$head $other" >"$tree/.git/info/grafts"
  quiet_git -C "$tree" update-ref 'refs/heads/$(touch x)' HEAD
}
source_badrefs() {
  begin
  git -C "$tree" rev-parse HEAD >"$tree/.git/refs/heads/with space"
  echo "ref: refs/heads/../../../config" >"$tree/.git/refs/heads/up"
}
source_paths() { begin; program "$tree/.evil"; tree_with .git; }
source_climbing() { begin; program "$tree/.evil"; tree_with ..; }
source_windows() { begin; program "$tree/.evil"; tree_with 'git~1'; }
source_submodules() {
  begin
  cat >"$tree/.gitmodules" <<END
[submodule "../../hooks"]
	path = one
	url = ext::sh -c $(mark_line | tr ' ' '%')
	update = !$(mark_line)
[submodule "two"]
	path = two
	url = -u$(mark_line)
END
  quiet_git -C "$tree" add .gitmodules
  quiet_git -C "$tree" update-index --add --cacheinfo "160000,$(git -C "$tree" rev-parse HEAD),one"
  quiet_git -C "$tree" update-index --add --cacheinfo "160000,$(git -C "$tree" rev-parse HEAD),two"
  quiet_git -C "$tree" commit -m Submodules
}
source_promised() { # an object that is missing, and a remote that promises it
  begin
  local blob
  blob=$(git -C "$tree" rev-parse HEAD:src/a.txt)
  cat >>"$tree/.git/config" <<END
[core]
	repositoryformatversion = 1
[extensions]
	partialClone = evil
[remote "evil"]
	url = ext::sh -c "touch% $marks/$name"
	promisor = true
	partialclonefilter = blob:none
	uploadpack = $(mark_line);
[protocol]
	allow = always
[protocol "ext"]
	allow = always
END
  rm -f "$tree/.git/objects/${blob:0:2}/${blob:2}"
}

sources="settings gitfile refs badrefs paths climbing windows submodules promised"

case ${1:-} in
  plants) echo "$plants" ;;
  sources) echo "$sources" ;;
  plant)
    name=$2 tree=$3 git=$4 marks=$5
    "plant_$name"
    ;;
  source)
    name=$2 tree=$3 marks=$4
    "source_$name"
    ;;
  *)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
exit 0
