#!/bin/sh
# Makes bastion.img.zst and web.img.zst: two systems whose keys open each other's accounts, and truth.tsv, which
# holds the fingerprints as ssh-keygen prints them. Needs e2fsprogs, openssh-client, openssl and zstd.
#
# - bastion: deploy has a plain key with a certificate for the principal `app`, a key behind a passphrase and a
#   kubeconfig with a client certificate; a copy of the plain key was deleted; known_hosts names the host key of web.
# - web: root lets deploy's key in; app lets the key behind the passphrase in, from one network; sshd trusts the
#   authority; nginx has an Ed25519 key in PKCS#8 with its certificate; app has zsh and fish histories with times.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
key() { ssh-keygen -q -t "$1" -N "$2" -C "$3" -f "$work/$4"; }
key ed25519 '' deploy@build deploy
key rsa 'a passphrase' deploy@laptop locked
key ed25519 '' authority ca
key ecdsa '' root@bastion bastion_host
key ed25519 '' root@web web_host
ssh-keygen -q -s "$work/ca" -I deploy-2026 -n app -V 20260101:20360101 "$work/deploy.pub"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /O=system:masters/CN=kubernetes-admin \
  -keyout "$work/kube.key" -out "$work/kube.crt" 2> "$work/log"
openssl genpkey -algorithm ed25519 -out "$work/tls.key"
openssl req -x509 -key "$work/tls.key" -days 3650 -subj /CN=www.example.test -addext subjectAltName=DNS:www.example.test,IP:10.0.0.7 \
  -out "$work/tls.crt"

system() { # directory, hostname, users
  mkdir -p "$1/etc/ssh" "$1/root" "$1/usr/bin" "$1/tmp"
  echo "$2" > "$1/etc/hostname"
  printf 'root:x:0:0:root:/root:/bin/bash\n' > "$1/etc/passwd"
  echo "$3:x:1000:1000::/home/$3:/bin/bash" >> "$1/etc/passwd"
  echo 'ID=debian' > "$1/etc/os-release"
  for tool in ls git curl systemctl mysql; do echo x > "$1/usr/bin/$tool"; done
}
bastion=$work/bastion
system "$bastion" bastion deploy
mkdir -p "$bastion/home/deploy/.ssh" "$bastion/home/deploy/.kube"
cp "$work/bastion_host" "$bastion/etc/ssh/ssh_host_ecdsa_key"
cp "$work/bastion_host.pub" "$bastion/etc/ssh/ssh_host_ecdsa_key.pub"
for part in deploy deploy.pub deploy-cert.pub; do cp "$work/$part" "$bastion/home/deploy/.ssh/id_ed25519${part#deploy}"; done
cp "$work/locked" "$bastion/home/deploy/.ssh/id_rsa"
echo "web,10.0.0.7 $(cut -d' ' -f1,2 "$work/web_host.pub")" > "$bastion/home/deploy/.ssh/known_hosts"
cat > "$bastion/home/deploy/.kube/config" <<FILE
apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://10.0.0.9:6443
  name: prod
contexts:
- context:
    cluster: prod
    user: kubernetes-admin
  name: kubernetes-admin@prod
current-context: kubernetes-admin@prod
users:
- name: kubernetes-admin
  user:
    client-certificate-data: $(base64 -w0 "$work/kube.crt")
    client-key-data: $(base64 -w0 "$work/kube.key")
FILE
printf '#1767225600\nmysql -h db -u shop -pv9Kd-Trombone-41x shop\nno time\n#1767225660\nsudo systemctl restart app\n' \
  > "$bastion/home/deploy/.bash_history"
web=$work/web
system "$web" web app
mkdir -p "$web/root/.ssh" "$web/home/app/.ssh" "$web/home/app/.local/share/fish" "$web/etc/nginx"
cp "$work/web_host" "$web/etc/ssh/ssh_host_ed25519_key"
cp "$work/web_host.pub" "$web/etc/ssh/ssh_host_ed25519_key.pub"
cp "$work/ca.pub" "$web/etc/ssh/ca.pub"
echo 'TrustedUserCAKeys /etc/ssh/ca.pub' > "$web/etc/ssh/sshd_config"
cp "$work/deploy.pub" "$web/root/.ssh/authorized_keys"
echo "from=\"10.0.0.*\",command=\"backup --token v9Kd-Trombone-41x\" $(cat "$work/locked.pub")" > "$web/home/app/.ssh/authorized_keys"
cp "$work/tls.key" "$work/tls.crt" "$web/etc/nginx"
printf ': 1767225700:0;git push\n: 1767225701:3;curl --header=v9Kd-Trombone-41x\n' > "$web/home/app/.zsh_history"
printf -- '- cmd: ls v9Kd-Trombone-41x\n  when: 1767225702\n' > "$web/home/app/.local/share/fish/fish_history"

# Samples for the tests of the parsers.
cp "$work/tls.crt" "$work/deploy-cert.pub" .
cp "$bastion/home/deploy/.kube/config" kubeconfig

for name in bastion web; do
  rm -f "$work/$name.img"
  truncate -s 2M "$work/$name.img"
  mkfs.ext4 -q -b 1024 -O ^has_journal -E hash_seed=5b1f0c2a-9d3e-4f50-8172-8394a5b6c7d8 -d "$work/$name" "$work/$name.img"
done
debugfs -w -R "write $work/deploy /tmp/key.bak" "$work/bastion.img" 2> "$work/log"
debugfs -w -R 'rm /tmp/key.bak' "$work/bastion.img" 2> "$work/log"
for name in bastion web; do zstd -q -19 -f "$work/$name.img" -o "$name.img.zst"; done
{
  for name in deploy locked ca bastion_host web_host; do
    printf '%s\t%s\n' "$name" "$(ssh-keygen -l -E sha256 -f "$work/$name.pub" | cut -d' ' -f2)"
  done
  # ssh-keygen reads the client's key; that of nginx is put into SSH's form byte by byte.
  ssh-keygen -y -f "$work/kube.key" > "$work/kube.pub"
  printf 'kube\t%s\n' "$(ssh-keygen -l -E sha256 -f "$work/kube.pub" | cut -d' ' -f2)"
  point=$(openssl pkey -in "$work/tls.key" -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n')
  blob=$(printf '0000000b7373682d6564323535313900000020%s' "$point" | sed 's/../\\x&/g')
  printf "ssh-ed25519 %s\n" "$(bash -c "printf '$blob'" | base64 -w0)" > "$work/tls.pub"
  printf 'tls\t%s\n' "$(ssh-keygen -l -E sha256 -f "$work/tls.pub" | cut -d' ' -f2)"
} > truth.tsv
