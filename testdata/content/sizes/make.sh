#!/bin/sh
# Makes honest.tar.zst: archives whose members take more than a plain header to say how long they are, as GNU tar, zip,
# 7z, cpio and Python write them. Needs those programs; no root. Each holds another access key id.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir in out

# secret NAME SUFFIX: a file with some text and a key that ends in SUFFIX.
secret() {
    { seq 1 30; echo "aws_access_key_id = AKIAQ3EGRXWVJT5KL$2"; seq 1 50; } > "in/$1"
}

# pieces NAME SUFFIX COUNT STEP: a file in which a piece of 512 bytes comes every STEP bytes; the key is in the last.
pieces() {
    secret last "$2"
    python3 - "in/$1" in/last "$3" "$4" << 'END'
import sys
path, last, count, step = sys.argv[1], open(sys.argv[2], "rb").read(), int(sys.argv[3]), int(sys.argv[4])
with open(path, "wb") as file:
    for index in range(count):
        file.seek(index * step)
        file.write(b"%d\n" % index)
    file.seek(count * step)
    file.write(last)
    file.truncate((count + 4) * step)
END
}

# Few pieces in a file of 10 GiB, and so many that the map does not fit into the header, or into 64 KiB.
for kind in gnu 0.0 0.1 1.0; do
    case $kind in
        gnu) format=--format=gnu; a=2AA b=2AB c=2AC ;;
        0.0) format="--format=posix --sparse-version=0.0" a=2AD b=2AE c=2AF ;;
        0.1) format="--format=posix --sparse-version=0.1" a=2AG b=2AH c=2AI ;;
        1.0) format="--format=posix --sparse-version=1.0" a=2AJ b=2AK c=2AL ;;
    esac
    pieces large "$a" 3 3221225472
    pieces many "$b" 60 8192
    pieces more "$c" 3000 1024
    tar -C in --sort=name --mtime=@1700000000 --owner=0 --group=0 -S --hole-detection=raw $format -cf "out/$kind.tar" many more
    tar -C in --mtime=@1700000000 --owner=0 --group=0 -S --hole-detection=seek $format -cf "out/$kind-large.tar" large
done
rm in/large in/many in/more

# Values that the fields of the header have no room for.
secret big 2AM; touch -d '2300-01-01 00:00:00.123456789' in/big
long=$(printf 'l%.0s' $(seq 1 150))
secret "$long" 2AN; ln -s "$long$long" in/link; ln "in/$long" in/hard
tar -C in --format=posix --pax-option='comment=a comment' --owner=name:3000000 -cf out/values-pax.tar big "$long" link hard
tar -C in --format=gnu --owner=name:3000000 -cf out/values-gnu.tar big "$long" link hard
secret old 2AU; tar -C in --format=v7 -cf out/v7.tar old
# A label, a directory with its list of names, and a file in two volumes.
tar -C in --format=gnu -V label -cf out/label.tar big
mkdir in/dir; cp in/big in/dir/; tar -C in --format=gnu -g out.snar -cf out/incremental.tar dir
{ seq 1 3000; cat in/big; } > in/long
(cd in && printf 'n ../second.tar\n' | tar --format=gnu -M -L 10 -cf ../first.tar long > /dev/null 2>&1)
cp second.tar out/second-volume.tar

secret a.txt 2AO; secret b.txt 2AP; secret c.txt 2AQ; secret d.txt 2AR; secret e.txt 2AS
python3 - << 'END'
import io, tarfile, zipfile

def text(name):
    return open("in/" + name, "rb").read()

class Pipe(io.RawIOBase):
    """What cannot seek gets the sizes behind the content."""
    def __init__(self, file):
        self.file = file
    def writable(self):
        return True
    def write(self, data):
        return self.file.write(data)

with zipfile.ZipFile("out/forced.zip", "w") as archive:
    for name, method in (("a.txt", zipfile.ZIP_STORED), ("b.txt", zipfile.ZIP_DEFLATED)):
        info = zipfile.ZipInfo(name)
        info.compress_type = method
        with archive.open(info, "w", force_zip64=True) as member:
            member.write(text(name))
with open("out/streamed.zip", "wb") as file, zipfile.ZipFile(Pipe(file), "w", zipfile.ZIP_DEFLATED) as archive:
    with archive.open("c.txt", "w", force_zip64=True) as member:
        member.write(text("c.txt"))
    archive.writestr("d.txt", text("d.txt"))
    archive.writestr("empty/", b"")

with tarfile.open("out/attributes.tar", "w", format=tarfile.PAX_FORMAT) as archive:
    info = tarfile.TarInfo("e.txt")
    info.size = len(text("e.txt"))
    info.pax_headers = {"SCHILY.xattr.user.empty": "", "mtime": "99999999999.5", "comment": "1 = 1\n2"}
    archive.addfile(info, io.BytesIO(text("e.txt")))
END
zip -q -fz - - < in/a.txt > out/piped.zip
secret f.txt 2AT; (cd in && zip -q -fz ../out/large.zip f.txt)
: > in/none
(cd in && 7z a -bso0 -bsp0 ../out/solid.7z a.txt b.txt none && 7z a -bso0 -bsp0 -m0=copy -ms=off ../out/copy.7z c.txt d.txt none)
(cd in && printf '%s\n' dir dir/big link hard "$long" none a.txt | cpio -o -H newc --quiet > ../out/links.cpio)

tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --format=ustar -C out -cf honest.tar .
zstd -q -19 --long=27 -f honest.tar -o "$here/honest.tar.zst"
