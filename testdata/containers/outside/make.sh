#!/bin/sh
# Makes images that hold secrets outside of their disks, compressed with zstd.
# Needs: python3, qemu-img, qemu-io, qemu-system-x86_64, tar, zstd. Run in this folder; it overwrites what is here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Tokens with a right checksum, in text of one cluster each; `cover` is what is written over them.
python3 - <<'PY'
import zlib
digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
def token(body):
    number, check = zlib.crc32(body.encode()), ""
    while number:
        check, number = digits[number % 62] + check, number // 62
    return "ghp_" + body + check.rjust(6, "0")
def text(name, line, length):
    with open(name, "w") as out:
        out.write(("# settings of a small server\n" * 100 + line + "# end of the settings\n" * 4000)[:length])
text("one", "export GITHUB_TOKEN=%s\n" % token("kq7Zt2VbX9sLm4RpWc8HdJyGfNu3Ae"), 65536)
text("two", "export GITHUB_TOKEN=%s\n" % token("Qw5mZk8TnB2vYx7RsLd4CfHgJp9Ue3"), 65536)
text("cover", "", 65536)
with open("short", "w") as out:
    out.write("export GITHUB_TOKEN=%s\n" % token("Hs8dKw3LxQ6vBn9MzRt2YpCf5GjTa7"))
PY

keep() { for name in "$@"; do zstd -q -19 -f "$name" -o "$here/$name.zst"; done; }
qio() { qemu-io "$@" > /dev/null; }
new() { qemu-img create -q -f "$@"; }

# A file of the guest that was there when a snapshot was taken, and was overwritten since.
new qcow2 snapshot.qcow2 4M
qio -c "write -s one 1M 64k" -c "write -s cover 2M 64k" snapshot.qcow2
qemu-img snapshot -c "before the clean-up" snapshot.qcow2
qio -c "write -s cover 1M 64k" snapshot.qcow2

# The same, with the snapshot deleted: its cluster is free, and still there where holes are not punched.
cp snapshot.qcow2 deleted-snapshot.qcow2
qemu-img snapshot --image-opts -d "before the clean-up" \
    driver=qcow2,pass-discard-snapshot=off,file.driver=file,file.filename=deleted-snapshot.qcow2

# The same without the secret.
new qcow2 control.qcow2 4M
qio -c "write -s cover 1M 64k" -c "write -s cover 2M 64k" control.qcow2
qemu-img snapshot -c "before the clean-up" control.qcow2
qio -c "write -z 1M 64k" control.qcow2

# A snapshot with compressed clusters.
new qcow2 compressed-snapshot.qcow2 4M
qio -c "write -c -s one 1M 64k" compressed-snapshot.qcow2
qemu-img snapshot -c packed compressed-snapshot.qcow2
qio -c "write -s cover 1M 64k" compressed-snapshot.qcow2

# A cluster that the guest discarded.
new qcow2 discarded.qcow2 4M
qio -d ignore -c "write -s one 1M 64k" -c "write -s cover 2M 64k" -c "write -z -u 1M 64k" discarded.qcow2

# A grain that was zeroed since.
new vmdk -o zeroed_grain=on zeroed.vmdk 4M
qio -c "write -s one 1M 64k" -c "write -s cover 2M 64k" -c "write -z 1M 64k" zeroed.vmdk

# Memory of a machine in a snapshot, whose disk does not hold the secret: the boot sector of a second drive,
# which the firmware reads into memory and runs.
python3 - <<'PY'
boot = bytearray(512)
boot[:2] = b"\xeb\xfe"
text = open("short", "rb").read()
boot[64:64 + len(text)] = text
boot[510:] = b"\x55\xaa"
open("boot.raw", "wb").write(boot + bytes(1 << 20))
PY
new qcow2 machine-state.qcow2 4M
{
    sleep 4
    echo "savevm running"
    sleep 3
    echo quit
} | qemu-system-x86_64 -nodefaults -display none -m 2M -monitor stdio \
    -drive if=ide,index=1,file=machine-state.qcow2,format=qcow2 \
    -drive if=ide,index=0,file=boot.raw,format=raw,snapshot=on > /dev/null || true

# Bytes behind the data, and beside the disk of an archive.
qemu-img convert -f qcow2 -O vdi control.qcow2 trailing.vdi
cat one >> trailing.vdi
mkdir ova && qemu-img convert -f qcow2 -O vmdk -o subformat=streamOptimized control.qcow2 ova/disk.vmdk
{
    echo "<Envelope><ProductSection>"
    cat short
    echo "</ProductSection></Envelope>"
} > ova/disk.ovf
tar -C ova -cf beside.ova disk.ovf disk.vmdk

# Disks with the secret in one unit; tests take the unit out of the tables.
new qcow2 disk.qcow2 4M
qio -c "write -s one 1M 64k" -c "write -s cover 2M 64k" disk.qcow2
for kind in vmdk vpc vhdx vdi; do
    case $kind in
    vpc) qemu-img convert -f qcow2 -O vpc -o force_size=on disk.qcow2 disk.vhd ;;
    vhdx) qemu-img convert -f qcow2 -O vhdx -o block_size=1M disk.qcow2 disk.vhdx ;;
    *) qemu-img convert -f qcow2 -O $kind disk.qcow2 disk.$kind ;;
    esac
done
keep *.qcow2 *.vmdk *.vhd *.vhdx *.vdi *.ova
