#!/usr/bin/env bash
# Boots a Debian in an emulated machine, with systemd as its first process and control groups of version 2, and shows there what
# shows nowhere else: the tests of the sandbox as root and as an ordinary user below a delegated group, and Guildhall installed as
# docs/deploy.md says, with the unit as it is delivered. What is tried stands in scripts/vm/inside.py.
#
#   scripts/vm.sh                 Debian 13; everything
#   scripts/vm.sh bookworm        Debian 12, with the git of its backports
#   scripts/vm.sh trixie unit     the unit alone; `sandbox` for the tests of the sandbox alone
#
# GUILDHALL_VM_PROGRAM names a program to be tried in place of a debug build; GUILDHALL_VM_KVM=1 has KVM in place of emulation.
#
# Needs root (a root file system is made), and the packages qemu-system-x86, mmdebstrap and e2fsprogs. Nothing is mounted here, and
# nothing of this machine is changed. Emulated, it takes a good while. The root file system is made once, and anew when this script or
# inside.service has changed; it lies in target/vm with what the machine said.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=${1:-trixie}
what=${2:-all}
packages=systemd,systemd-sysv,systemd-timesyncd,udev,dbus-user-session,libpam-systemd,linux-image-cloud-amd64,adduser,bubblewrap,ca-certificates,curl,procps,python3
case $suite in
  # Its own git is too old.
  bookworm) packages+=,git/bookworm-backports extra=("deb http://deb.debian.org/debian bookworm-backports main") ;;
  trixie) packages+=,git extra=() ;;
  *) echo "vm: $suite is not tried; say trixie or bookworm" >&2; exit 1 ;;
esac
case $what in
  all | sandbox | unit) ;;
  *) echo "vm: there is no part $what; say all, sandbox or unit" >&2; exit 1 ;;
esac
[ "$(id -u)" = 0 ] || { echo "vm: run this as root: it makes a root file system" >&2; exit 1; }
for tool in qemu-system-x86_64 mmdebstrap mke2fs node; do
  command -v "$tool" >/dev/null || { echo "vm: $tool is missing; install qemu-system-x86, mmdebstrap and e2fsprogs" >&2; exit 1; }
done

target=$(cargo metadata --format-version 1 --no-deps --locked | node -p 'JSON.parse(require("fs").readFileSync(0)).target_directory')
dir=$target/vm
mkdir -p "$dir"
scratch=$(mktemp -d "$dir/work.XXXXXX")
# The machine, while it is there.
machine=
trap '[ -z "$machine" ] || kill "$machine" 2>/dev/null || true; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

# The system: as mmdebstrap makes it, with an initial file system of what this machine needs alone, since it is unpacked slowly.
# `.done` says from what it was made: this script and what it puts in, so that another is made when they change.
root=$dir/$suite
recipe=$(cat scripts/vm.sh scripts/vm/inside.service | cksum)
if [ "$(cat "$root.done" 2>/dev/null)" != "$recipe" ]; then
  echo "vm: making the root file system of $suite" >&2
  rm -f "$root.done" "$root.img"
  mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='APT::Install-Recommends "false"' \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
    --essential-hook='echo MODULES=list >"$1/etc/initramfs-tools/conf.d/small"' \
    --essential-hook='printf "%s\n" virtio_pci virtio_blk ext4 >"$1/usr/share/initramfs-tools/modules.d/virtual"' \
    --customize-hook='upload scripts/vm/inside.service /etc/systemd/system/inside.service' \
    --customize-hook='printf "%s\n" "/dev/vda / ext4 defaults 0 0" "/dev/vdb /mnt ext4 ro,x-systemd.device-timeout=900 0 0" >"$1/etc/fstab"' \
    --customize-hook='chroot "$1" systemctl --quiet enable inside.service' \
    --customize-hook='chroot "$1" passwd --delete root >/dev/null' \
    "$suite" "$scratch/root" "deb http://deb.debian.org/debian $suite main" "${extra[@]}"
  cp "$scratch"/root/boot/vmlinuz-* "$root.kernel"
  cp "$scratch"/root/boot/initrd.img-* "$root.initrd"
  mke2fs -q -t ext4 -d "$scratch/root" "$root.img" 6G >/dev/null
  rm -rf "$scratch/root"
  echo "$recipe" >"$root.done"
fi

# What is tried there, on a disk of its own: the programs, the sandbox's tests, and what an operator is given. All of the workspace is
# built for it: its tests have built the same, and with features of its own each crate would be built anew.
things=$scratch/things
mkdir -p "$things"
# put FROM TO: without its symbols for a debugger, which are ten times what runs.
put() { strip -o "$things/$2" "$1"; }
if [ "$what" != unit ]; then
  mkdir "$things/sandbox"
  cp -r crates/sandbox/tests "$things/sandbox/"
  put "$(cargo test --no-run --locked --workspace --tests --message-format=json |
    node -e 'for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean)) {
      const it = JSON.parse(line);
      if (it.executable && it.target.name === "it" && it.target.src_path.includes("/sandbox/")) console.log(it.executable);
    }')" sandbox/it.test
fi
if [ "$what" != sandbox ]; then
  cargo build --locked --workspace --bins
  put "$target/debug/guildhall-sim" guildhall-sim
  put "${GUILDHALL_VM_PROGRAM:-$target/debug/guildhall}" guildhall
fi
cp -r deploy scripts/vm/inside.py "$things/"
echo "$what" >"$things/what"
chmod -R a+rX "$things"
mke2fs -q -t ext4 -d "$things" "$scratch/things.img" 2G >/dev/null
rm -rf "$things"

# Not every /dev/kvm holds a Linux of today: within virtual machines some do not.
accelerator=(-accel "tcg,thread=multi" -cpu "max,la57=off,svm=off")
[ -z "${GUILDHALL_VM_KVM:-}" ] || accelerator=(-accel kvm -cpu host)
said=$dir/$suite.said
: >"$said"
echo "vm: booting $suite; its console is in $root.console, what it says in $said" >&2
# Nothing that it writes to its disk stays. It has a card of a network that leads nowhere: by that a sandbox which shares the
# machine's network is found out. On a busy machine a timer would be taken for one that does not work.
timeout --foreground "${GUILDHALL_VM_MINUTES:-150}m" qemu-system-x86_64 "${accelerator[@]}" -machine q35 -smp 2 -m 4G \
  -nodefaults -no-user-config -display none -no-reboot \
  -kernel "$root.kernel" -initrd "$root.initrd" \
  -append "root=/dev/vda rw console=ttyS0 panic=-1 no_timer_check nowatchdog systemd.default_device_timeout_sec=900" \
  -drive "file=$root.img,format=raw,if=virtio,snapshot=on" -drive "file=$scratch/things.img,format=raw,if=virtio,readonly=on" \
  -serial "file:$root.console" -serial "file:$said" -device virtio-rng-pci -nic user,restrict=on,model=virtio-net-pci &
machine=$!
# In the background: a shell that waits for a command in the foreground heeds no signal before that ends.
tail -n +1 -f --pid="$machine" "$said" 2>/dev/null | tr -d '\r' &
ended=0
wait "$machine" || ended=$?
machine=
wait
[ "$ended" = 0 ] || { echo "vm: the machine did not end by itself; see $root.console" >&2; exit 1; }
tr -d '\r' <"$said" | grep -q '^inside: all is well$' || { echo "vm: something is not as it should be; see $said" >&2; exit 1; }
