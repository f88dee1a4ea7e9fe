# run_confined.sh ROOT UID FOLDER OUTSIDE:INSIDE:ro|rw … -- COMMAND …, as root in a mount namespace of its own: run the
# command in FOLDER as UID, in a root folder that is read-only, without any power and without a way to get one.
set -eu

root=$1 user=$2 folder=$3
shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=0755 none "$root"

# bind OUTSIDE INSIDE ro|rw
bind() {
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
}

# Before what lies in it, such as the environment of a clone in /tmp: mounted later it would hide that.
mkdir -p "$root/tmp"
mount -t tmpfs -o mode=1777 none "$root/tmp"

for system in /usr /etc /bin /sbin /lib /lib32 /lib64 /libx32; do
    if [ -L "$system" ]; then ln -s "$(readlink "$system")" "$root$system"; elif [ -d "$system" ]; then bind "$system" "$system" ro; fi
done
while [ "$1" != -- ]; do
    bind "${1%%:*}" "$(printf '%s' "$1" | cut -d: -f2)" "${1##*:}"
    shift
done
shift
mkdir -p "$root/proc" "$root/dev"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro "$root"

exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all \
    --bounding-set=-all sh -c 'cd "$1" && shift && exec "$@"' - "$folder" "$@"
