#!/usr/bin/env bash
# Makes server.qcow2: a small Linux server disk (GPT, one ext4 partition) as somebody in a hurry exports it.
# Everything secret in it is made up here and opens nothing. Needs e2fsprogs, gdisk, qemu-img, openssh, openssl.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{etc/ssh,root,home/deploy/.ssh,home/deploy/app,tmp,var/{log,tmp},usr/lib}

cat > "$root/etc/os-release" <<'FILE'
PRETTY_NAME="Example Linux 1"
NAME="Example Linux"
ID=example
FILE
cp "$root/etc/os-release" "$root/usr/lib/os-release"
echo web-1 > "$root/etc/hostname"
echo 3f5e2c8a9b7d4e1f8a6b5c4d3e2f1a0b > "$root/etc/machine-id"
printf '%s\n' 'root:x:0:0:root:/root:/bin/bash' 'deploy:x:1000:1000:Deploy:/home/deploy:/bin/bash' > "$root/etc/passwd"
printf '%s\n' "root:$(openssl passwd -6 -salt dM0rQx7vTfGh 'correct horse battery'):19700:0:99999:7:::" \
  'deploy:!:19700:0:99999:7:::' > "$root/etc/shadow"
chmod 600 "$root/etc/shadow"

ssh-keygen -q -t ed25519 -N '' -C deploy@web-1 -f "$root/home/deploy/.ssh/id_ed25519"
cp "$root/home/deploy/.ssh/id_ed25519.pub" "$root/home/deploy/.ssh/authorized_keys"

cat > "$root/home/deploy/app/application.properties" <<'FILE'
spring.datasource.url=jdbc:mysql://db.internal:3306/shop
spring.datasource.username=shop
spring.datasource.password=v9Kd-Trombone-41x
aliyun.oss.accessKeyId=LTAI5tQ7mZr2Vx9KpWc4Hd8N
aliyun.oss.accessKeySecret=h3Qz8WvN1xKc5RtYb7MpLd2SgFj9Ae
FILE
cat > "$root/home/deploy/.bash_history" <<'FILE'
cd app
mysql -h db.internal -u shop -pv9Kd-Trombone-41x shop
sudo systemctl restart app
FILE
echo 'Mar  1 10:00:12 web-1 sshd[812]: Accepted publickey for deploy from 10.0.3.7' > "$root/var/log/auth.log"
echo 'left by an installer' > "$root/tmp/install.log"
chown -R 0:0 "$root"
chown -R 1000:1000 "$root/home/deploy"
chmod 700 "$root/home/deploy/.ssh"

# A copy of the key that was deleted and never overwritten.
part=$work/part.raw
truncate -s 14M "$part"
mkfs.ext4 -q -L server -U 5b1f0c2a-9d3e-4f50-8172-8394a5b6c7d8 -E hash_seed=5b1f0c2a-9d3e-4f50-8172-8394a5b6c7d8 -d "$root" "$part"
debugfs -w -R "write $root/home/deploy/.ssh/id_ed25519 /tmp/key.bak" "$part" 2> "$work/log"
debugfs -w -R 'rm /tmp/key.bak' "$part" 2> "$work/log"

disk=$work/disk.raw
truncate -s 16M "$disk"
sgdisk -U 7d4e1f8a-6b5c-4d3e-8f1a-0b3f5e2c8a9b -n 1:2048:+14M -t 1:8300 -c 1:root \
  -u 1:9b7d4e1f-8a6b-4c4d-9e2f-1a0b3f5e2c8a "$disk" > "$work/log"
dd if="$part" of="$disk" bs=1M seek=1 conv=notrunc status=none
rm -f server.qcow2
qemu-img convert -q -c -O qcow2 "$disk" server.qcow2
