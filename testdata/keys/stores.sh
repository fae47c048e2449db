#!/usr/bin/env bash
# Makes private keys in files without armour, key stores and keyrings with the programs that own the formats (OpenSSL,
# keytool, GnuPG, puttygen, minisign, signify, wg, gnome-keyring), and packs them, one JSON object a line: name, content
# in base64, and the public fingerprint where another program prints one. Every key is made for this and used nowhere.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
cd "$(mktemp -d)"
mkdir work files
rsa=work/rsa.pem; ec=work/ec.pem; ed=work/ed.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out $rsa 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out $ec
openssl genpkey -algorithm ed25519 -out $ed
openssl req -new -x509 -key $rsa -subj /CN=someone -days 3650 -out work/cert.pem

# Without armour.
openssl pkcs8 -topk8 -nocrypt -in $rsa -outform DER -out files/pkcs8-rsa.der
openssl rsa -in $rsa -traditional -outform DER -out files/pkcs1-rsa.der 2>/dev/null
openssl genrsa -traditional 2048 2>/dev/null | openssl rsa -traditional -outform DER -out files/pkcs1-rsa-2048.der 2>/dev/null
openssl ec -in $ec -outform DER -out files/sec1-p256.der 2>/dev/null
openssl ecparam -name secp384r1 -genkey -noout -outform DER -out files/sec1-p384.der
openssl ecparam -name secp521r1 -genkey -noout -outform DER -out files/sec1-p521.der
openssl ecparam -name secp256k1 -genkey -noout -outform DER -out files/sec1-secp256k1.der
openssl pkcs8 -topk8 -nocrypt -in $ec -outform DER -out files/pkcs8-p256.der
openssl pkcs8 -topk8 -nocrypt -in $ed -outform DER -out files/pkcs8-ed25519.der
openssl pkcs8 -topk8 -in $rsa -outform DER -passout pass:passphrase -out files/pkcs8-rsa-locked.der
openssl pkcs8 -topk8 -in $rsa -outform DER -passout pass:passphrase -v1 PBE-SHA1-3DES -out files/pkcs8-pbe-locked.der
for name in pkcs8-rsa pkcs1-rsa pkcs8-p256 sec1-p256 pkcs8-ed25519; do
    { printf '{"privateKey": "'; base64 -w0 files/$name.der; printf '"}\n'; } > files/base64-$name.json
    { printf 'key: |\n'; base64 -w64 files/$name.der | sed 's/^/    /'; } > files/base64-$name.yaml
done

# Key stores.
openssl pkcs12 -export -inkey $rsa -in work/cert.pem -name someone -passout pass:passphrase -out files/openssl-locked.p12
openssl pkcs12 -export -inkey $rsa -in work/cert.pem -name someone -passout pass: -legacy -out files/legacy-empty-locked.p12
openssl pkcs12 -export -inkey $rsa -in work/cert.pem -name someone -keypbe NONE -certpbe NONE -passout pass:passphrase -out files/plain.p12
pair() { keytool -genkeypair -alias someone -keyalg EC -groupname secp256r1 -dname CN=someone -keypass "$3" -storepass "$3" -storetype "$1" -keystore "$2" >/dev/null 2>&1; }
pair PKCS12 files/keytool-locked.p12 passphrase
pair JKS files/store-locked.jks passphrase
pair JKS files/default-locked.jks changeit
pair JCEKS files/store-locked.jceks passphrase
keytool -genseckey -alias secret -keyalg AES -keysize 128 -storepass passphrase -keypass passphrase -storetype JCEKS -keystore files/secret-locked.jceks >/dev/null 2>&1
keytool -importcert -noprompt -alias ca -file work/cert.pem -storepass changeit -storetype JKS -keystore files/none-trust.jks >/dev/null 2>&1
keytool -importcert -noprompt -alias ca -file work/cert.pem -storepass changeit -storetype PKCS12 -keystore files/none-trust.p12 >/dev/null 2>&1
{ printf 'data:\n  keystore.jks: '; base64 -w0 files/store-locked.jks; echo; } > files/base64-locked.jks.yaml
{ printf 'data:\n  keystore.p12: '; base64 -w0 files/openssl-locked.p12; echo; } > files/base64-locked.p12.yaml

# GnuPG: exports without armour, and what its agent keeps.
gnupg() { # name, passphrase, algorithm
    local home=$PWD/work/$1; mkdir -m 700 "$home"
    gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase "$2" --quick-generate-key 'Someone <a@example.org>' "$3" default never 2>/dev/null
    gpg --homedir "$home" --batch --quiet --pinentry-mode loopback --passphrase "$2" --export-secret-keys > "files/$1.gpg" 2>/dev/null
    gpg --homedir "$home" --batch --with-colons --list-keys 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }' > "work/$1.gpg.public"
    cp "$(ls "$home"/private-keys-v1.d/*.key | head -1)" "files/agent-$1.key"
    gpgconf --homedir "$home" --kill all
}
gnupg openpgp-rsa '' rsa1024
gnupg openpgp-ed25519 '' ed25519
gnupg openpgp-rsa-locked passphrase rsa1024
gnupg openpgp-ed25519-locked passphrase ed25519
gpg --homedir work/openpgp-rsa --batch --export > files/none-public.gpg 2>/dev/null
rm -f work/*.key

# PuTTY, in both versions, one of them changed afterwards.
ssh-keygen -q -t ed25519 -N '' -C 'someone@host' -f work/ssh
ssh-keygen -lf work/ssh.pub | awk '{ print $2 }' > work/print
for version in 2 3; do
    puttygen work/ssh -O private --ppk-param version=$version -o files/putty-$version.ppk
    puttygen work/ssh -O private --ppk-param version=$version --new-passphrase <(printf passphrase) -o files/putty-$version-locked.ppk
    sed 's/^Comment: .*/Comment: changed/' files/putty-$version.ppk > files/putty-$version-changed.ppk
    for kind in '' -locked -changed; do cp work/print work/putty-$version$kind.ppk.public; done
done
python3 - work/ssh files/openssh.bin <<'PY'
import base64, sys
lines = open(sys.argv[1]).read().splitlines()[1:-1]
open(sys.argv[2], 'wb').write(b'\0' * 100 + base64.b64decode(''.join(lines)))
PY
cp work/print work/openssh.bin.public

# Signing keys and WireGuard.
minisign -G -W -p work/minisign.pub -s files/minisign.key >/dev/null
printf 'passphrase\npassphrase\n' | minisign -G -p work/minisign2.pub -s files/minisign-locked.key >/dev/null
awk 'NR == 1 { print $NF }' work/minisign.pub > work/minisign.key.public
signify-openbsd -G -n -p work/signify.pub -s files/signify.sec
wg genkey > work/wg
{ printf '[Interface]\nPrivateKey = '; cat work/wg; } > files/wireguard.conf
wg pubkey < work/wg > work/wireguard.conf.public

# Keyrings of desktops.
cp "${GNOME_KEYRING:-/dev/null}" files/gnome-locked.keyring
[ -s files/gnome-locked.keyring ] || rm files/gnome-locked.keyring

for name in pkcs8-rsa pkcs1-rsa sec1-p256 pkcs8-p256 pkcs8-ed25519; do
    openssl pkey -inform DER -in files/$name.der -out work/one.pem && chmod 600 work/one.pem
    ssh-keygen -yf work/one.pem > work/one.pub 2>/dev/null || continue
    ssh-keygen -lf work/one.pub | awk '{ print $2 }' > work/$name.der.public
done
python3 - <<'PY' | zstd -q -19 -f -o "$out/stores.jsonl.zst"
import base64, json, os
for name in sorted(os.listdir('files')):
    public = None
    if os.path.exists(f'work/{name}.public'):
        public = open(f'work/{name}.public').read().strip() or None
    content = base64.b64encode(open(f'files/{name}', 'rb').read()).decode()
    print(json.dumps({'name': name, 'content': content, 'public': public}))
PY
