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
python3 - <<'PY'
import base64, hashlib, random, string, uuid
rnd = random.Random(11)
hexed = lambda bits: f'{rnd.getrandbits(bits):0{bits // 4}x}'
raw = lambda length: bytes(rnd.getrandbits(8) for _ in range(length))
b64 = lambda length: base64.b64encode(raw(length)).decode()
thing = lambda: str(uuid.UUID(int=rnd.getrandbits(128), version=4))
packages = 'left-pad lodash react vue express axios webpack babel eslint typescript moment chalk stripe openai twilio'.split()
write = lambda name, text: open(name, 'w').write(text.lstrip('\n'))

# Lock files.
lines = ['{', '  "name": "shop", "lockfileVersion": 3, "packages": {']
for name in packages:
    lines.append(f'    "node_modules/{name}": {{ "version": "{rnd.randrange(9)}.{rnd.randrange(20)}.0", "resolved": '
                 f'"https://registry.npmjs.org/{name}/-/{name}-1.0.0.tgz", "integrity": "sha512-{b64(64)}" }},')
lines.append('  }\n}\n')
for name in packages:
    lines += [f'"{name}@^1.0.0":', '  version "1.0.0"',
              f'  resolved "https://registry.yarnpkg.com/{name}/-/{name}-1.0.0.tgz#{hexed(160)}"', f'  integrity sha512-{b64(64)}']
for name in packages:
    lines += ['[[package]]', f'name = "{name}"', 'version = "1.0.0"', 'source = "registry+https://github.com/rust-lang/crates.io-index"',
              f'checksum = "{hexed(256)}"']
for name in packages:
    lines += [f'github.com/{name}/client-go v0.1.0 h1:{b64(32)}', f'github.com/{name}/client-go v0.1.0/go.mod h1:{b64(32)}']
for name in packages:
    lines += [f'    {{file = "{name}-1.0.0-py3-none-any.whl", hash = "sha256:{hexed(256)}"}},', f'{name}==1.0.0 \\', f'    --hash=sha256:{hexed(256)}']
for name in packages:
    lines += [f'{{"name": "{name}/{name}", "source": {{"type": "git", "reference": "{hexed(160)}"}}, "content-hash": "{hexed(128)}"}},',
              f'<PackageReference Include="{name}" Version="1.0.0" /> <!-- {thing()} -->']
write('locks.txt', '\n'.join(lines) + '\n')

# Logs.
lines = []
for index in range(12):
    ip = '.'.join(str(rnd.randrange(1, 255)) for _ in range(4))
    lines += [
        f'Nov 12 03:0{index % 10}:12 web-1 sshd[{rnd.randrange(9999)}]: Accepted publickey for deploy from {ip} port 50022 ssh2: ED25519 SHA256:{b64(32).rstrip("=")}',
        f'Nov 12 03:0{index % 10}:13 web-1 sshd[{rnd.randrange(9999)}]: Failed password for invalid user admin from {ip} port 40022 ssh2',
        f'{ip} - - [12/Nov/2023:03:04:05 +0000] "GET /static/main.{hexed(32)}.js?v={hexed(64)} HTTP/1.1" 200 {rnd.randrange(10**6)} "-" "Mozilla/5.0 (X11; Linux x86_64)"',
        f'type=SYSCALL msg=audit(1699761845.123:{index}): arch=c000003e syscall=59 success=yes exit=0 key="password_change" ses={index}',
        f'time="2023-11-12T03:04:05Z" level=info msg="pulled" image="registry/x@sha256:{hexed(256)}" trace_id={hexed(128)} span_id={hexed(64)}',
        f'{{"level":"info","requestId":"{thing()}","userId":{rnd.randrange(10**6)},"msg":"token refreshed","tokenType":"Bearer","expiresIn":3600}}',
        f'2023-11-12 03:04:05.678 ERROR 1 --- [nio-8080-exec-{index}] c.e.AuthController : Access denied for user "shop"@"{ip}" (using password: YES)',
        f'kernel: EXT4-fs (sda1): mounted filesystem {thing()} with ordered data mode',
        f'systemd[1]: Started Password: ask-password wall forward ({hexed(128)}).',
        f'I1112 03:04:05.{index:06} 1 reflector.go:1] Caches populated for *v1.Secret from object-"default"/"db-password" uid={thing()}',
        f'dockerd[1]: time="2023-11-12" level=warning msg="no basic auth credentials" id={hexed(256)}',
    ]
write('logs.txt', '\n'.join(lines) + '\n')

# Translations.
words = {'de': 'Passwort', 'fr': 'Mot de passe', 'es': 'Contraseña', 'zh': '密码', 'ja': 'パスワード', 'ru': 'Пароль', 'ko': '비밀번호'}
lines = []
for language, word in words.items():
    lines += [f'"login.password": "{word}",', f'"login.password.confirm": "{word} ({language})",', f'"apiKey.label": "API-Key {word}",',
              f'msgid "Enter the passphrase for {language}: "', f'msgstr "{word}: "', f'user.password.reset={word}', f'password: "{word}"',
              f'<string name="password_hint">{word}</string>', f'label.secretKey = {word} *', f"'token_expired' => '{word}!',",
              f'access_token: {word}', f'PasswordIncorrect="{word}"', f'"wrongPassword" : "{word}?"']
lines += ['password_reset_instructions: "Follow the link to reset your password"', '"passwordPlaceholder": "At least 8 characters"',
          'secret_key_help = "The secret key is shown only once"', '请输入密码: ', 'accessKeySecret: "请填写您的AccessKey Secret"',
          'password: "您的密码"', 'appSecret=你的appSecret', 'password = パスワードを入力してください']
write('translations.txt', '\n'.join(lines) + '\n')

# What compilers and bundlers write.
chunk = ','.join(f'{rnd.randrange(9999)}:"{hexed(80)}"' for _ in range(40))
mapping = ';'.join(''.join(rnd.choice(string.ascii_letters) for _ in range(rnd.randrange(4, 9))) for _ in range(80))
write('bundles.txt', f"""
!function(e){{function t(t){{for(var r,o,u=t[0],i=t[1];p<u.length;p++)o=u[p];return i}}var c={{{chunk}}};e.password=t.password,e.apiKey=t.apiKey}}([]);
var n=e.token||t.token,s=e.secret,a={{password:r,token:n,secret:s}};function f(e){{return e.password?e.password:null}}
{{"version":3,"sources":["webpack://shop/./src/password.ts"],"mappings":"{mapping}","names":["password","secretKey","accessToken"]}}
.logo{{background:url(data:image/png;base64,iVBORw0KGgo{b64(600)})}}
<img src="data:image/jpeg;base64,/9j/4AAQSkZJRg{b64(900)}" alt="token">
<svg><path d="M{' '.join(str(rnd.randrange(999)) for _ in range(120))}z"/></svg>
@font-face{{src:url(data:font/woff2;base64,d09GMgABAAA{b64(400)})}}
//# sourceMappingURL=data:application/json;base64,{b64(300)}
<script src="/a.js" integrity="sha384-{b64(48)}" crossorigin="anonymous" nonce="{b64(16)}"></script>
__NEXT_DATA__={{"buildId":"{b64(15)}","assetPrefix":"","props":{{"csrfHeader":"X-CSRF-Token"}}}}
const KEYS=["{hexed(128)}","{hexed(128)}"],IDS=["{thing()}","{thing()}"];
static const unsigned char sha256_k[] = {{ {', '.join('0x' + hexed(8) for _ in range(64))} }};
.ascii "{''.join(rnd.choice('0123456789abcdef') for _ in range(64))}"
BuildID[sha1]={hexed(160)}, stripped
/nix/store/{''.join(rnd.choice('0123456789abcdfghijklmnpqrsvwxyz') for _ in range(32))}-openssl-3.0.12/bin
""")

# What is public.
def armour(kind, length):
    body = b64(length)
    return f'-----BEGIN {kind}-----\n' + '\n'.join(body[at:at + 64] for at in range(0, len(body), 64)) + f'\n-----END {kind}-----'
ed = base64.b64encode(b'\0\0\0\x0bssh-ed25519\0\0\0 ' + raw(32)).decode()
rsa = base64.b64encode(b'\0\0\0\x07ssh-rsa\0\0\0\x03\1\0\1\0\0\1\1\0' + raw(256)).decode()
write('public.txt', '\n'.join([
    armour('CERTIFICATE', 900), armour('PUBLIC KEY', 294), armour('CERTIFICATE REQUEST', 600), armour('X509 CRL', 300),
    armour('PGP PUBLIC KEY BLOCK', 700), armour('PGP SIGNATURE', 400), armour('DH PARAMETERS', 268), armour('RSA PUBLIC KEY', 270),
    f'ssh-ed25519 {ed} deploy@web-1', f'ssh-rsa {rsa} ops@bastion', f'github.com ssh-ed25519 {ed}', f'|1|{b64(20)}|{b64(20)} ssh-ed25519 {ed}',
    f'"caBundle": "{b64(700)}"', f'certificate-authority-data: {b64(800)}', f'pin-sha256="{b64(32)}"',
    f'DKIM1; k=rsa; p={b64(294)}', f'Fingerprint: {":".join(hexed(8) for _ in range(20))}', f'X509v3 Subject Key Identifier: {":".join(hexed(8) for _ in range(20))}',
    'untrusted comment: minisign public key ' + hexed(64), 'RW' + b64(40), 'age1' + ''.join(rnd.choice('qpzry9x8gf2tvdw0s3jn54khce6mua7l') for _ in range(58)),
    f'PublicKey = {b64(32)}', '']))

# Settings as products ship them, and as they refer to secrets elsewhere.
write('configuration.txt', """
#PasswordAuthentication yes
PermitEmptyPasswords no
# requirepass foobared
# masterauth <master-password>
;sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="" password="";
ssl_certificate_key /etc/nginx/tls/server.key;
auth_basic_user_file /etc/nginx/.htpasswd;
password_encryption = scram-sha-256
spring.datasource.url=jdbc:mysql://${MYSQL_HOST:localhost}:3306/shop
spring.datasource.password=${MYSQL_PASSWORD:}
spring.datasource.druid.password=ENC(%(jasypt)s)
spring.cloud.config.password={cipher}%(cipher)s
nacos.core.auth.plugin.nacos.token.secret.key=${NACOS_AUTH_TOKEN}
db.password.0=${MYSQL_SERVICE_PASSWORD}
rocketmq.producer.secret-key=${ROCKETMQ_SECRET_KEY}
"ConnectionStrings": { "Default": "Server=db;Database=shop;User Id=sa;Password=${DB_PASSWORD};" }
<add name="Main" connectionString="Data Source=.;Initial Catalog=Shop;Integrated Security=True" />
<add key="ApiKey" value="" />
DATABASE_URL=postgresql://${DB_USER}:${DB_PASSWORD}@db:5432/shop
REDIS_URL=redis://:${REDIS_PASSWORD}@redis:6379/0
AMQP_URL=amqp://guest:guest@localhost:5672/
MONGO_URL=mongodb://user:pass@localhost:27017/db
mysql://user:password@host:3306/database
postgres://postgres:postgres@localhost:5432/postgres
jdbc:oracle:thin:@//ora1:1521/ORCLPDB1
jdbc:sqlserver://db1:1433;databaseName=hr;integratedSecurity=true
DB_PASSWORD=
DB_PASSWORD=secret
MYSQL_ROOT_PASSWORD: "{{ vault_mysql_root_password }}"
POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password
valueFrom: { secretKeyRef: { name: db, key: password } }
password: !vault |
password: <%%= ENV["DB_PASSWORD"] %%>
'PASSWORD': os.environ.get('DB_PASSWORD', ''),
'PASSWORD': env('DB_PASSWORD'),
define( 'DB_PASSWORD', 'password_here' );
define( 'AUTH_KEY', 'put your unique phrase here' );
machine example.com login USERNAME password PASSWORD
hostname:port:database:username:password
[client]
#password = your_password
password_file=/etc/mysql/backup.pw
export AWS_PROFILE=default AWS_REGION=eu-central-1
aws_access_key_id = YOUR_ACCESS_KEY_ID
aws_secret_access_key = YOUR_SECRET_ACCESS_KEY
accessKeyId=<yourAccessKeyId>
accessKeySecret=<yourAccessKeySecret>
ALIBABA_CLOUD_ACCESS_KEY_SECRET=your_access_key_secret
secretKey: ${COS_SECRET_KEY}
GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}
- run: echo "${{ secrets.NPM_TOKEN }}"
//registry.npmjs.org/:_authToken=${NPM_TOKEN}
STRIPE_SECRET_KEY=sk_test_...
OPENAI_API_KEY=sk-...
SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX
smtp_password: "********"
private_key_path: ~/.ssh/id_ed25519
docker_image: registry.example.com/shop@sha256:%(digest)s
tenant_id: %(id)s
subscription_id = "%(id)s"
arn:aws:iam::123456789012:role/deploy
vpc-%(short)s subnet-%(short)s sg-%(short)s i-%(short)s
""" % {'jasypt': b64(48), 'cipher': hexed(256), 'digest': hexed(256), 'id': thing(), 'short': hexed(68)[:17]})

# Source code that handles secrets without holding any.
write('sources.txt', r"""
def connect(host, user, password): return psycopg2.connect(host=host, user=user, password=password)
conn = pymysql.connect(host="localhost", user="root", password=getpass.getpass("Password: "))
db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/%s", user, password, host, port, name))
dsn := "host=localhost user=postgres password=postgres dbname=test sslmode=disable"
url = f"postgresql://{user}:{password}@{host}:{port}/{name}"
const uri = `mongodb+srv://${user}:${encodeURIComponent(password)}@${host}/`;
$pdo = new PDO("mysql:host=$host;dbname=$db", $user, $password);
$dbh = DBI->connect($dsn, $user, $password, { RaiseError => 1 });
Connection c = DriverManager.getConnection(url, props.getProperty("user"), props.getProperty("password"));
var cs = $"Server={server};Database={db};User Id={user};Password={password};";
private static final String PASSWORD_KEY = "javax.net.ssl.keyStorePassword";
@Value("${spring.datasource.password}") private String password;
String token = request.getHeader("Authorization").substring("Bearer ".length());
if (password.length() < 8) { throw new IllegalArgumentException("password too short"); }
self.assertTrue(user.check_password("secret")); user.set_password("password")
EXPECT_EQ(parse("password=hunter"), Password{"hunter"});
#define SECRET_KEY_LENGTH 32
static const char* const kPasswordPref = "profile.password_manager_enabled";
let api_key = std::env::var("API_KEY").expect("API_KEY must be set");
api_key = config.get("api", "key"); secret = settings.SECRET_KEY; token = get_token(session)
Authorization: Basic <base64(user:password)>
curl -H "Authorization: Bearer $TOKEN" https://api.example.com/v1/items
mysql -u root -p shop < dump.sql; mysqldump --password="$MYSQL_PWD" shop
sqlplus / as sysdba; sqlplus "$ORACLE_USER/$ORACLE_PASSWORD@$TNS"
openssl req -x509 -newkey rsa:2048 -keyout key.pem -passout pass:"$PASS"
sshpass -e ssh deploy@web-1; echo "$PASSWORD" | docker login -u ci --password-stdin registry.example.com
ALTER USER shop IDENTIFIED BY :password; CREATE USER app IDENTIFIED BY password
password = input("Enter password: "); passphrase = prompt_passphrase(confirm=True)
{"type": "object", "properties": {"password": {"type": "string", "format": "password", "minLength": 8}}}
<input type="password" name="password" placeholder="Password" autocomplete="current-password">
password: { required: true, type: String, select: false },
options.password = options.password || process.env.PGPASSWORD;
  --password=PASSWORD     use PASSWORD to log in; -p, --password    prompt for the password
  -k, --api-key string    API key to use (default "$API_KEY")
""")
PY
