#!/usr/bin/env python3
"""Prints published-keys.txt: fingerprints of the private keys that projects publish with their tests and examples.

  published.py FOLDER    FOLDER holds a folder NAME for each project, with its published source unpacked

A line is the fingerprint of the public key, as OpenSSH prints it behind `SHA256:`, and the project's name. Needs
ssh-keygen and openssl. Keys with a passphrase count only where their public half is in clear.
"""
import base64, hashlib, pathlib, re, subprocess, sys, tempfile

BLOCK = re.compile(rb'-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[^-]{40,20000}-----END \1-----')


def run(*command):
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20)


def fingerprint(block):
    # In source code, lines end in `\\n` and quotes.
    lines = re.split(rb'(?:\\n|\\r|["\'\s,])+', block.split(b'-----', 2)[2].rsplit(b'-----END', 1)[0])
    kind = block.split(b'-----')[1]
    if any(b':' in line for line in lines):
        return None
    text = b'\n'.join([b'-----' + kind + b'-----', *(line for line in lines if line not in (b'', b'+')), b'-----END' + kind[5:] + b'-----', b''])
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        shown = run('ssh-keygen', '-l', '-f', file.name) if b'OPENSSH' in kind else None
        public = run('ssh-keygen', '-y', '-P', '', '-f', file.name)
        if public.returncode == 0:
            blob = base64.b64decode(public.stdout.split()[1])
            return base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')
        if shown and shown.returncode == 0:
            return shown.stdout.split()[1].decode().removeprefix('SHA256:')
        der = run('openssl', 'pkey', '-in', file.name, '-passin', 'pass:', '-pubout', '-outform', 'DER').stdout
        if len(der) == 44 and der.startswith(bytes.fromhex('302a300506032b6570032100')):
            blob = b'\0\0\0\x0bssh-ed25519\0\0\0 ' + der[12:]
            return base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')
    return None


found = {}
for project in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    for path in sorted(project.rglob('*')):
        if path.is_file() and path.stat().st_size < 1 << 22:
            for match in BLOCK.finditer(path.read_bytes()):
                key = fingerprint(match.group(0))
                if key:
                    found.setdefault(key, project.name)
for key, name in sorted(found.items()):
    print(key, name)
