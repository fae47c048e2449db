#!/usr/bin/env bash
# Writes the texts in which no rule may find anything: what fills a clean system and looks like secrets.
# The words and numbers come from a fixed seed, so that each run writes the same bytes.
set -euo pipefail
cd "$(dirname "$0")"
python3 - <<'PY'
import hashlib, random, uuid
rnd = random.Random(7)
hexed = lambda kind, text: hashlib.new(kind, text.encode()).hexdigest()
vendors = 'digitalocean keycloak bitbucket github gitlab datadog jenkins scaleway nimble twitter fitbit confluent soundcloud flickr coda ghost'.split()
lines = []
for vendor in vendors:
    lines += [f'{hexed("md5", vendor)}  usr/lib/python3/dist-packages/{vendor}/plugins/modules/{vendor}_sshkey.py',
              f'{hexed("md5", vendor + "2")}  usr/lib/python3/dist-packages/{vendor}/api_key.py']
open('checksums.txt', 'w').write('\n'.join(lines) + '\n')
lines = []
for vendor in vendors:
    lines += [f'Package: golang-github-{vendor}-client-dev', 'Architecture: all',
              f'Provides: libghc-{vendor}-conduit-dev-0.6.1-636d7, python3-{vendor} (= 0.0~git20210915.39e73c8-2)',
              f'Filename: pool/main/{vendor[0]}/{vendor}/{vendor}-doc_2.24.2-1+deb12u2_amd64.deb',
              f'Size: {rnd.randrange(10**6)}', f'MD5sum: {hexed("md5", vendor)}', f'SHA256: {hexed("sha256", vendor)}', '']
open('packages.txt', 'w').write('\n'.join(lines))
thing = lambda: str(uuid.UUID(int=rnd.getrandbits(128), version=4))
open('settings.txt', 'w').write(f'''# Values that a person is to fill in, and references to where the secret is.
password = "${{DB_PASSWORD}}"
password: "{{{{ vault_db_password }}}}"
PASSWORD=changeme
api_key = "<your api key>"
token: $CI_JOB_TOKEN
secret = os.environ["SECRET"]
api_key = "YOUR_API_KEY_HERE"
DATABASE_URL=postgres://user:password@localhost/db
connectionString="Server=db;User Id=sa;Password=${{PASSWORD}};"
scaleway: {{ "private_network_id": "{thing()}", "zone": "fr-par-1" }}
digitalocean_droplet_id = "{thing()}"
gitea commit {hexed('sha1', 'commit')}
github.com/actions/checkout@{hexed('sha1', 'checkout')}
"integrity": "sha512-{hexed('sha512', 'x')}"
etag: "{hexed('md5', 'etag')}"
''')
open('code.txt', 'w').write('''_ZN6icu_726number4impl17blueprint_helpers18parseFracSigOptionERKNS_13StringSegmentERNS1_10MacroPropsER10UErrorCode
_ZN2v88internal8compiler12FindLeftmostEPKNSC_11FocusedTreeEPiPSt5arrayISF_Lm32EE
if (strstr(line, "-----BEGIN PRIVATE KEY-----")) { return parse(line); }
String password = request.getParameter("password");
const token = await getAccessToken({ clientId, clientSecret });
self.assertEqual(user.check_password("password"), True)
printf("Enter the passphrase again: ");
static const char *apikey_header = "X-Api-Key";
password_hash = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
auth = HTTPBasicAuth(username, password)
secret_key_base: <%= ENV["SECRET_KEY_BASE"] %>
curl -u "$USER:$PASSWORD" https://api.example.com/v1/stripe/keys
''')
PY
