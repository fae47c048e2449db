#!/bin/sh
# Makes nested.img.zst: a small ext4 volume with archives and compressed files, written by the programs that
# people use for it (gzip, bzip2, xz, zstd, lz4, zip, tar, ar, dpkg-deb). Each holds another access key id.
# Needs those programs and mkfs.ext4; no root. Takes a minute.
#
# bzip2-length-below-zero.7z and bzip2-no-byte-used.7z are not made here: the fuzz target `content` found them.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir in out

# secret NAME SUFFIX: a file with some text and a key that ends in SUFFIX.
secret() {
    { seq 1 300; echo "aws_access_key_id = AKIAQ3EGRXWVJT5KL$2"; seq 1 50; } > "in/$1"
}

secret log 2AA; gzip -9 < in/log > out/unnamed.gz
secret app.log 2AB; (cd in && gzip -k app.log && mv app.log.gz ../out/renamed.gz)
secret one 2AC; secret two 2AD
{ gzip < in/one; gzip < in/two; head -c 700 /dev/zero; } > out/joined.gz
secret b 2AE; bzip2 < in/b > out/b.bz2
secret x 2AF; xz < in/x > out/x.xz
secret z 2AG; { zstd -q < in/one; zstd -q < in/z; } > out/z.zst
secret l 2AH; lz4 -q < in/l > out/l.lz4

long=$(printf 'd%.0s' $(seq 1 90))/$(printf 'e%.0s' $(seq 1 90))
mkdir -p tree/etc "tree/$long"
secret env 2AI; cp in/env tree/etc/env
secret deep 2AJ; cp in/deep "tree/$long/deep"
tar -C tree -cf out/plain.tar --format=ustar etc
tar -C tree -cf out/gnu.tar --format=gnu .
tar -C tree -czf out/pax.tar.gz --format=posix .
secret sparse 2AK; truncate -s 4M tree/sparse; cat in/sparse >> tree/sparse
tar -C tree -cf out/sparse.tar --sparse --format=gnu sparse

secret web.xml 2AL; secret stored.txt 2AM
mkdir -p WEB-INF && cp in/web.xml WEB-INF/ && zip -q app.jar WEB-INF/web.xml && zip -q -0 app.jar -j in/stored.txt
cp app.jar out/
tar -cf - app.jar | xz > out/jar-in-tar.tar.xz
secret locked.txt 2AN; zip -q -P password -j out/locked.zip in/locked.txt in/stored.txt
# Through a pipe zip does not know the sizes and writes them behind the content.
secret piped 2AO; zip -q - - < in/piped > out/piped.zip

secret object.o 2AP; secret a-rather-long-name.o 2AQ
(cd in && ar rcS ../out/lib.a object.o a-rather-long-name.o)
mkdir -p deb/DEBIAN deb/opt && secret conf 2AR && cp in/conf deb/opt/conf
printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' > deb/DEBIAN/control
dpkg-deb --root-owner-group -Zxz -b deb out/x.deb > /dev/null

# What is hostile or broken.
truncate -s 512M zeros && gzip -9 < zeros | gzip -9 > out/bomb.gz.gz
secret bottom 2AS; cp in/bottom deeper
for _ in $(seq 1 1000); do gzip -n < deeper > deeper.gz; mv deeper.gz deeper; done
mv deeper out/deeper.gz
secret cut 2AT; { seq 1 20000; cat in/cut; seq 1 200000; } | gzip | head -c 200000 > out/cut.gz

mkfs.ext4 -q -b 1024 -N 64 -O ^has_journal -L nested -d out nested.img 2M > /dev/null
zstd -q -19 -f nested.img -o "$here/nested.img.zst"
