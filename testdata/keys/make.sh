#!/usr/bin/env bash
# Makes private keys with OpenSSL, OpenSSH and GnuPG, and packs them, one JSON object a line:
# name, text, and the public fingerprint that ssh-keygen prints where it can. Every key is made for this and used nowhere.
set -euo pipefail
out=$(cd "$(dirname "$0")" && pwd)
cd "$(mktemp -d)"
ssh-keygen -q -t ed25519 -N '' -C 'someone@host' -f openssh-ed25519
ssh-keygen -q -t ecdsa -b 384 -N '' -C '' -f openssh-ecdsa
ssh-keygen -q -t rsa -b 1024 -N 'passphrase' -C 'locked' -f openssh-rsa-locked
openssl genrsa -traditional -out pkcs1-rsa 1024 2>/dev/null
openssl genrsa -traditional -aes128 -passout pass:passphrase -out pkcs1-rsa-locked 1024 2>/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out pkcs8-rsa 2>/dev/null
openssl pkcs8 -topk8 -in pkcs8-rsa -passout pass:passphrase -out pkcs8-rsa-locked
openssl ecparam -name prime256v1 -genkey -noout -out sec1-p256
openssl genpkey -algorithm ed25519 -out pkcs8-ed25519
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp521r1 -out pkcs8-p521
openssl dsaparam -out dsa-parameters 1024 2>/dev/null
openssl gendsa -out pkcs8-dsa dsa-parameters 2>/dev/null
export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Someone <a@example.org>' ed25519 sign never 2>/dev/null
gpg --batch --quiet --armor --export-secret-keys > openpgp-ed25519
rm -f dsa-parameters *.pub
python3 - <<'PY' | zstd -q -19 -f -o "$out/keys.jsonl.zst"
import json, os, subprocess
for name in sorted(f for f in os.listdir('.') if os.path.isfile(f)):
    os.chmod(name, 0o600)
    run = subprocess.run(['ssh-keygen', '-y', '-P', 'passphrase' if 'locked' in name else '', '-f', name], capture_output=True, text=True)
    print_ = None
    if run.returncode == 0:
        f = subprocess.run(['ssh-keygen', '-l', '-f', '-'], input=run.stdout, capture_output=True, text=True)
        print_ = f.stdout.split()[1] if f.returncode == 0 else None
    print(json.dumps({'name': name, 'text': open(name).read(), 'public': print_}))
PY
