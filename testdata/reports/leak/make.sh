#!/bin/sh
# Makes leak.qcow2.zst: a disk with one password in every place that reports take texts from, and an access key id
# that stands in names only. Both are made up. Needs e2fsprogs, gdisk, openssh-client, qemu-img and zstd.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
word=Pw7-Trombone-4x
name=AKIAQ3EGRTZ7XW5UVMNB
root=$work/root
mkdir -p "$root/etc/ssh" "$root/root/.ssh" "$root/home/deploy/.ssh" "$root/home/deploy/.kube" "$root/srv/dir-$word" "$root/tmp" "$root/usr/bin"
echo 'ID=debian' > "$root/etc/os-release"
echo "host-$word" > "$root/etc/hostname"
printf 'root:x:0:0:%s:/root:/bin/bash\ndeploy:x:1000:1000:%s,,,:/home/deploy:/bin/bash\n' "$word" "$word" > "$root/etc/passwd"
printf 'spring.datasource.url=jdbc:mysql://db/shop\nspring.datasource.username=shop\nspring.datasource.password=%s\n' "$word" \
  > "$root/srv/application.properties"
printf 'spring.datasource.password=Other-Secret-81z\n' > "$root/srv/dir-$word/application.properties"
echo backup > "$root/srv/backup-$word.sql"
echo note > "$root/srv/$name.txt"
ln -s "/srv/backup-$word.sql" "$root/srv/link-$word"
ssh-keygen -q -t ed25519 -N '' -C "me@$word" -f "$root/home/deploy/.ssh/id_ed25519"
echo "command=\"run $word\",environment=\"P=$word\" $(cat "$root/home/deploy/.ssh/id_ed25519.pub")" > "$root/root/.ssh/authorized_keys"
echo "$word.example.test $(cut -d' ' -f1,2 "$root/home/deploy/.ssh/id_ed25519.pub")" > "$root/home/deploy/.ssh/known_hosts"
printf '#1767225600\nmysql -u shop -p%s shop\n#1767225601\n%s\n#1767225602\necho %s | base64\n' "$word" "$word" "$word" > "$root/home/deploy/.bash_history"
printf 'apiVersion: v1\nclusters:\n- cluster:\n    server: https://%s:6443\n  name: %s\n' "$word" "$word" > "$root/home/deploy/.kube/config"
echo 'left behind' > "$root/tmp/left-$word.log"
part=$work/part.raw
truncate -s 3M "$part"
mkfs.ext4 -q -b 1024 -O ^has_journal -L "$word" -d "$root" "$part"
debugfs -w -f - "$part" > "$work/log" 2>&1 <<FILE
ea_set /srv/application.properties user.note $word
write $root/srv/backup-$word.sql /tmp/gone-$word
rm /tmp/gone-$word
FILE
disk=$work/disk.raw
truncate -s 5M "$disk"
sgdisk -n 1:2048:+3M -t 1:8300 -c "1:part $word" "$disk" > "$work/log"
dd if="$part" of="$disk" bs=1M seek=1 conv=notrunc status=none
qemu-img convert -q -c -O qcow2 "$disk" "$work/leak.qcow2"
qemu-img snapshot -c "snap-$word" "$work/leak.qcow2"
zstd -q -19 -f "$work/leak.qcow2" -o leak.qcow2.zst
