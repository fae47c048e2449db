#!/usr/bin/env python3
"""Writes two trees of configuration files in the syntax of the products: one with passwords, one with what stands
in their place before someone fills them in. `expected.tsv` names each file with its password as the file spells
it. Usage: make.py DIRECTORY"""
import random, sys
from pathlib import Path

rnd = random.Random(20)
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
STANDINS = ["${DB_PASSWORD}", "<password>", "changeme", "YOUR_PASSWORD", "********", "{{ db_password }}"]

# Addresses: scheme, user, where.
URLS = """
postgresql shop db1:5432/shop
postgres shop db1/shop?sslmode=require
postgresql+asyncpg shop 10.0.3.7/shop
mysql shop db1:3306/shop
mysql+pymysql shop db1/shop
mariadb shop db1/shop
mongodb shop mongo1:27017,mongo2:27017/admin?replicaSet=rs0
mongodb+srv shop cluster0.ab1cd.mongodb.net/shop
redis default cache1:6379/0
rediss default r-bp1zxszhcgatnx.redis.rds.aliyuncs.com:6380
redis+sentinel default s1:26379/mymaster
valkey default cache1:6379
mssql+pyodbc sa db1/hr?driver=ODBC+Driver+18+for+SQL+Server
sqlserver sa db1:1433?database=hr
oracle+oracledb hr ora1:1521/?service_name=ORCLPDB1
oracle+cx_oracle hr ora1:1521/ORCL
amqp shop mq1:5672/vhost
amqps shop amqp-cn-v0h1.mq-amqp.cn-hangzhou-a.aliyuncs.com/shop
nats shop nats1:4222
mqtts device broker1:8883
stomp shop mq1:61613
kafka shop kafka1:9092
pulsar shop pulsar1:6650
clickhouse shop ch1:9000/default
clickhouse+native shop ch1/default
cassandra shop cass1:9042/ks
couchbases shop cb1/bucket
couchdb admin couch1:5984/db
neo4j+s neo4j graph1:7687
bolt neo4j graph1:7687
influxdb shop influx1:8086/metrics
elasticsearch elastic es1:9200
opensearch admin os1:9200
cockroachdb shop crdb1:26257/shop
snowflake SHOP xy12345.eu-central-1/db
redshift+psycopg2 shop rs1:5439/dev
vertica dbadmin v1:5433/db
trino shop trino1:443/hive
hive shop hive1:10000/default
impala shop impala1:21050
starrocks root sr1:9030/catalog.db
doris root fe1:9030/db
teradatasql dbc td1
hana SYSTEM hana1:39015
firebird SYSDBA fb1:3050/x.fdb
monetdb monetdb m1:50000/db
crate crate c1:4200
singlestoredb admin s2:3306/db
opengauss gaussdb og1:5432/postgres
gaussdb root gs1:8000/postgres
dm+dmPython SYSDBA dm1:5236
kingbase system kb1:54321/test
oceanbase root ob1:2881/test
taosws root td1:6041/log
iotdb root iot1:6667
polardb shop pc1:3306/shop
arangodb root a1:8529
surrealdb root s1:8000
rethinkdb admin r1:28015
memcached user mc1:11211
etcd root etcd1:2379
zookeeper super zk1:2181
ldap cn=admin ldap1:389
ldaps admin ldap1:636
smtp mailer smtp1:587
smtps mailer smtp.qiye.aliyun.com:465
ftp deploy ftp1/www
sftp deploy sftp1/in
ydb root ydb1:2136/local
couchbase shop cb1
dremio admin dr1:32010
exa+websocket sys exa1:8563
sybase+pyodbc sa ase1:5000/db
beanstalkd worker b1:11300
nsq worker nsq1:4150
rabbitmq worker mq1:5672
tdengine root td1:6030/power
databricks token adb-1.2.azuredatabricks.net/default
""".split("\n")

FILES = {
# .NET
"web/appsettings.json": '{\n  "ConnectionStrings": {\n    "DefaultConnection": "Server=db1,1433;Initial Catalog=Shop;Persist Security Info=False;User ID=shop;Password=@P@;MultipleActiveResultSets=False;Encrypt=True;"\n  }\n}\n',
"web/appsettings.Production.json": '{\n  "ConnectionStrings": {\n    "Redis": "r-bp1zxszhcgatnx.redis.rds.aliyuncs.com:6379,password=@P@,ssl=True,abortConnect=False"\n  }\n}\n',
"web/pg.appsettings.json": '{"ConnectionStrings":{"Main":"Host=db1;Port=5432;Database=shop;Username=shop;Password=@P@"}}\n',
"web/mysql.appsettings.json": '{"ConnectionStrings":{"Main":"server=rm-bp1u9x.mysql.rds.aliyuncs.com;port=3306;database=shop;uid=shop;pwd=@P@;charset=utf8mb4"}}\n',
"web/sqlsugar.json": '{"ConnStr":"Data Source=ora1:1521/ORCL;User Id=HR;Password=@P@;"}\n',
"web/web.config": '<?xml version="1.0"?>\n<configuration>\n  <connectionStrings>\n    <add name="Main" connectionString="Data Source=db1;Initial Catalog=Shop;User ID=sa;Password=@P@" providerName="System.Data.SqlClient" />\n  </connectionStrings>\n</configuration>\n',
"web/ef/web.config": '<connectionStrings>\n <add name="E" connectionString="metadata=res://*/M.csdl;provider=System.Data.SqlClient;provider connection string=&quot;data source=db1;initial catalog=Shop;user id=sa;password=@P@;App=EntityFramework&quot;" providerName="System.Data.EntityClient" />\n</connectionStrings>\n',
"web/quoted.cs": 'var c = new SqlConnection(@"Server=.\\SQLEXPRESS;Database=Hr;User Id=hr;Password=\'@P@\';TrustServerCertificate=true");\n',
"odbc/odbc.ini": '[shop]\nDriver = PostgreSQL Unicode\nServername = db1\nPort = 5432\nDatabase = shop\nUserName = shop\nPassword = @P@\n',
"odbc/freetds.ini": '[mssql]\nDriver=FreeTDS\nServer=db1\nUID=sa\nPWD=@P@\nDatabase=hr\n',
"odbc/connect.py": 'import pyodbc\nc = pyodbc.connect("DRIVER={ODBC Driver 17 for SQL Server};SERVER=db1;DATABASE=hr;UID=sa;PWD=@P@")\n',
"odbc/dsn.vbs": 'conn.Open "DSN=shop;UID=shop;PWD=@P@;"\n',
"oledb/x.udl": '[oledb]\r\n; Everything after this line is an OLE DB initstring\r\nProvider=SQLOLEDB.1;Password=@P@;Persist Security Info=True;User ID=sa;Initial Catalog=hr;Data Source=db1\r\n',
"oledb/ora.asp": '<% conn.Open "Provider=OraOLEDB.Oracle;Data Source=ORCL;User Id=hr;Password=@P@;" %>\n',
"oledb/access.vb": 'Dim s = "Provider=Microsoft.ACE.OLEDB.12.0;Data Source=C:\\data\\shop.accdb;Jet OLEDB:Database Password=@P@;"\n',
# JDBC
"jdbc/mysql.txt": 'jdbc:mysql://rm-bp1u9x.mysql.rds.aliyuncs.com:3306/shop?useSSL=false&user=shop&password=@P@\n',
"jdbc/amp.xml": '<jdbcUrl>jdbc:mysql://db1:3306/shop?user=shop&amp;password=@P@&amp;useUnicode=true</jdbcUrl>\n',
"jdbc/postgresql.txt": 'url=jdbc:postgresql://db1:5432/shop?user=shop&password=@P@&ssl=true\n',
"jdbc/sqlserver.txt": 'jdbc:sqlserver://db1:1433;databaseName=hr;user=sa;password=@P@;encrypt=true\n',
"jdbc/oracle-thin.txt": 'spring.datasource.url=jdbc:oracle:thin:hr/@P@@//ora1:1521/ORCLPDB1\n',
"jdbc/oracle-sid.txt": 'jdbc:oracle:thin:hr/@P@@ora1:1521:ORCL\n',
"jdbc/oracle-descr.txt": 'jdbc:oracle:thin:hr/"@P@"@(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=ora1)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=ORCL)))\n',
"jdbc/db2.txt": 'jdbc:db2://h1:50000/SAMPLE:user=db2inst1;password=@P@;\n',
"jdbc/dm.txt": 'jdbc:dm://dm1:5236/SHOP?user=SYSDBA&password=@P@\n',
"jdbc/kingbase.txt": 'jdbc:kingbase8://kb1:54321/test?user=system&password=@P@\n',
"jdbc/snowflake.txt": 'jdbc:snowflake://xy12345.snowflakecomputing.com/?user=SHOP&password=@P@&warehouse=W\n',
"jdbc/redshift.txt": 'jdbc:redshift://rs1.abc.eu-west-1.redshift.amazonaws.com:5439/dev?UID=awsuser&PWD=@P@\n',
"jdbc/hive.txt": 'jdbc:hive2://hive1:10000/default;user=hive;password=@P@\n',
"jdbc/databricks.txt": 'jdbc:databricks://adb-1.2.azuredatabricks.net:443/default;httpPath=sql/1;AuthMech=3;UID=svc;PWD=@P@\n',
"jdbc/teradata.txt": 'jdbc:teradata://td1/DBS_PORT=1025,USER=dbc,PASSWORD=@P@\n',
"jdbc/Main.java": 'Connection c = DriverManager.getConnection("jdbc:mysql://db1:3306/shop", "shop", "@P@");\n',
"jdbc/context.xml": '<Resource name="jdbc/shop" auth="Container" type="javax.sql.DataSource" maxTotal="100"\n  username="shop" password="@P@" driverClassName="com.mysql.cj.jdbc.Driver"\n  url="jdbc:mysql://db1:3306/shop"/>\n',
"jdbc/standalone.xml": '<datasource jndi-name="java:/Shop" pool-name="Shop">\n <connection-url>jdbc:postgresql://db1/shop</connection-url>\n <driver>postgresql</driver>\n <security>\n  <user-name>shop</user-name>\n  <password>@P@</password>\n </security>\n</datasource>\n',
"jdbc/persistence.xml": '<property name="javax.persistence.jdbc.url" value="jdbc:mysql://db1/shop"/>\n<property name="javax.persistence.jdbc.user" value="shop"/>\n<property name="javax.persistence.jdbc.password" value="@P@"/>\n',
"jdbc/hibernate.cfg.xml": '<property name="hibernate.connection.url">jdbc:mysql://db1/shop</property>\n<property name="hibernate.connection.username">shop</property>\n<property name="hibernate.connection.password">@P@</property>\n',
"jdbc/mybatis.xml": '<dataSource type="POOLED">\n <property name="driver" value="com.mysql.cj.jdbc.Driver"/>\n <property name="url" value="jdbc:mysql://db1:3306/shop"/>\n <property name="username" value="shop"/>\n <property name="password" value="@P@"/>\n</dataSource>\n',
"jdbc/flyway.conf": 'flyway.url=jdbc:mysql://db1/shop\nflyway.user=shop\nflyway.password=@P@\n',
"jdbc/liquibase.properties": 'url=jdbc:postgresql://db1/shop\nusername=shop\npassword=@P@\n',
"jdbc/hikari.properties": 'jdbcUrl=jdbc:mysql://db1/shop\ndataSource.user=shop\ndataSource.password=@P@\n',
"jdbc/quartz.properties": 'org.quartz.dataSource.myDS.URL = jdbc:mysql://db1/quartz\norg.quartz.dataSource.myDS.user = quartz\norg.quartz.dataSource.myDS.password = @P@\n',
"jdbc/hive-site.xml": '<property>\n <name>javax.jdo.option.ConnectionPassword</name>\n <value>@P@</value>\n</property>\n',
# DSN
"dsn/main.go": 'db, err := sql.Open("mysql", "shop:@P@@tcp(10.0.0.5:3306)/shop?parseTime=true")\n',
"dsn/unix.go": 'dsn := "shop:@P@@unix(/var/run/mysqld/mysqld.sock)/shop"\n',
"dsn/gorm.go": 'dsn := "host=db1 user=shop password=@P@ dbname=shop port=5432 sslmode=disable"\n',
"dsn/pq.env": 'DSN=host=10.0.0.9 port=5432 dbname=shop user=shop password=@P@ sslmode=require\n',
"dsn/recovery.conf": "primary_conninfo = 'host=10.0.0.2 port=5432 user=replicator password=@P@ application_name=s1'\n",
"dsn/pdo.php": "<?php\n$db = new PDO('mysql:host=db1;dbname=shop;charset=utf8mb4', 'shop', '@P@');\n",
"dsn/pdo-vars.php": "<?php\n$dsn = 'mysql:host=db1;dbname=shop';\n$username = 'shop';\n$password = '@P@';\n$db = new PDO($dsn, $username, $password);\n",
"dsn/mysqli.php": "<?php $m = mysqli_connect('db1', 'shop', '@P@', 'shop');\n",
"dsn/oci.php": "<?php $c = oci_connect('hr', '@P@', 'ora1/ORCL');\n",
"dsn/sqlsrv.php": "<?php $c = sqlsrv_connect('db1', array('Database'=>'hr', 'UID'=>'sa', 'PWD'=>'@P@'));\n",
"dsn/dbi.pl": 'my $dbh = DBI->connect("DBI:mysql:database=shop;host=db1", "shop", "@P@");\n',
"dsn/psycopg.py": 'conn = psycopg2.connect(host="db1", dbname="shop", user="shop", password="@P@")\n',
"dsn/clickhouse.go": 'dsn := "tcp://ch1:9000?username=shop&password=@P@&database=default"\n',
"dsn/tdengine.go": 'taos, _ := sql.Open("taosSql", "root:@P@@tcp(td1:6030)/power")\n',
"dsn/node.js": "const pool = mysql.createPool({ host: 'db1', user: 'shop', password: '@P@', database: 'shop' });\n",
"dsn/sequelize.json": '{"production":{"username":"shop","password":"@P@","database":"shop","host":"db1","dialect":"mysql"}}\n',
"dsn/ormconfig.json": '{\n  "type": "postgres",\n  "host": "db1",\n  "port": 5432,\n  "username": "shop",\n  "password": "@P@",\n  "database": "shop"\n}\n',
"dsn/knexfile.js": "module.exports = { client: 'pg', connection: { host: 'db1', user: 'shop', password: '@P@', database: 'shop' } };\n",
# Frameworks
"django/settings.py": "DATABASES = {\n    'default': {\n        'ENGINE': 'django.db.backends.postgresql',\n        'NAME': 'shop',\n        'USER': 'shop',\n        'PASSWORD': '@P@',\n        'HOST': 'db1',\n    }\n}\n",
"django/mail.py": "EMAIL_HOST = 'smtp1'\nEMAIL_HOST_USER = 'mailer'\nEMAIL_HOST_PASSWORD = '@P@'\n",
"flask/config.py": "SQLALCHEMY_DATABASE_URI = 'mysql+pymysql://shop:@P@@db1/shop'\n",
"rails/database.yml": "production:\n  adapter: postgresql\n  encoding: unicode\n  database: shop\n  pool: 5\n  username: shop\n  password: @P@\n  host: db1\n",
"rails/mongoid.yml": "production:\n  clients:\n    default:\n      database: shop\n      hosts:\n        - mongo1:27017\n      options:\n        user: shop\n        password: @P@\n        auth_source: admin\n",
"spring/application.properties": "spring.datasource.url=jdbc:mysql://rm-bp1u9x.mysql.rds.aliyuncs.com:3306/shop\nspring.datasource.username=shop\nspring.datasource.password=@P@\n",
"spring/druid.properties": "spring.datasource.druid.url=jdbc:mysql://db1:3306/shop\nspring.datasource.druid.username=shop\nspring.datasource.druid.password=@P@\n",
"spring/druid-console.properties": "spring.datasource.druid.stat-view-servlet.enabled=true\nspring.datasource.druid.stat-view-servlet.login-username=admin\nspring.datasource.druid.stat-view-servlet.login-password=@P@\n",
"spring/application.yml": "spring:\n  datasource:\n    driver-class-name: com.mysql.cj.jdbc.Driver\n    url: jdbc:mysql://db1:3306/shop?serverTimezone=Asia/Shanghai\n    username: shop\n    password: @P@\n",
"spring/druid.yml": "spring:\n  datasource:\n    type: com.alibaba.druid.pool.DruidDataSource\n    druid:\n      master:\n        url: jdbc:mysql://localhost:3306/ry-vue?useUnicode=true&characterEncoding=utf8\n        username: ry\n        password: @P@\n",
"spring/dynamic.yml": "spring:\n  datasource:\n    dynamic:\n      primary: master\n      datasource:\n        master:\n          username: shop\n          password: '@P@'\n          url: jdbc:mysql://db1:3306/shop\n",
"spring/redis.yml": "spring:\n  data:\n    redis:\n      host: r-bp1zxszhcgatnx.redis.rds.aliyuncs.com\n      port: 6379\n      password: @P@\n      database: 0\n",
"spring/redis-list.properties": "spring.redis.sentinel.master=mymaster\nspring.redis.sentinel.nodes=10.0.0.1:26379\nspring.redis.password=@P@\n",
"spring/rabbit.yml": "spring:\n  rabbitmq:\n    host: mq1\n    username: shop\n    password: @P@\n",
"spring/kafka.yml": "spring:\n  kafka:\n    bootstrap-servers: alikafka-pre-cn-1.alikafka.aliyuncs.com:9093\n    properties:\n      sasl.mechanism: PLAIN\n      sasl.jaas.config: org.apache.kafka.common.security.plain.PlainLoginModule required username=\"shop\" password=\"@P@\";\n",
"spring/nacos.yml": "spring:\n  cloud:\n    nacos:\n      discovery:\n        server-addr: nacos1:8848\n        username: nacos\n        password: @P@\n",
"spring/nacos.properties": "spring.cloud.nacos.config.server-addr=nacos1:8848\nspring.cloud.nacos.config.username=nacos\nspring.cloud.nacos.config.password=@P@\n",
"spring/mail.properties": "spring.mail.host=smtp.qiye.aliyun.com\nspring.mail.username=mailer\nspring.mail.password=@P@\n",
"nacos/application.properties": "spring.sql.init.platform=mysql\ndb.num=1\ndb.url.0=jdbc:mysql://10.0.0.8:3306/nacos?characterEncoding=utf8\ndb.user.0=nacos\ndb.password.0=@P@\n",
"seata/file.conf": 'store {\n  mode = "db"\n  db {\n    datasource = "druid"\n    url = "jdbc:mysql://127.0.0.1:3306/seata"\n    user = "seata"\n    password = "@P@"\n  }\n}\n',
"xxl-job/application.properties": "spring.datasource.url=jdbc:mysql://127.0.0.1:3306/xxl_job\nspring.datasource.username=root\nspring.datasource.password=@P@\n",
"canal/instance.properties": "canal.instance.master.address=10.0.0.8:3306\ncanal.instance.dbUsername=canal\ncanal.instance.dbPassword=@P@\n",
"canal/canal.properties": "kafka.sasl.jaas.config = org.apache.kafka.common.security.scram.ScramLoginModule required username=\"shop\" password=\"@P@\";\n",
"shardingsphere/config.yaml": "dataSources:\n  ds_0:\n    dataSourceClassName: com.zaxxer.hikari.HikariDataSource\n    jdbcUrl: jdbc:mysql://db1:3306/ds0\n    username: root\n    password: @P@\n",
"dubbo/dubbo.properties": "dubbo.registry.address=nacos://nacos1:8848\ndubbo.registry.username=nacos\ndubbo.registry.password=@P@\n",
"rocketmq/plain_acl.yml": "accounts:\n- accessKey: RocketMQ\n  secretKey: @P@\n  whiteRemoteAddress:\n  admin: true\n",
"rocketmq/application.yml": "rocketmq:\n  name-server: 10.0.0.4:9876\n  producer:\n    group: shop\n    access-key: shop-mq\n    secret-key: @P@\n",
"kafka/client.properties": 'security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="shop" password="@P@";\nssl.truststore.location=/etc/kafka/t.jks\n',
"kafka/kafka_jaas.conf": 'KafkaClient {\n  org.apache.kafka.common.security.plain.PlainLoginModule required\n  username="shop"\n  password="@P@";\n};\n',
"kafka/server.properties": "ssl.keystore.location=/etc/kafka/k.jks\nssl.keystore.password=@P@\n",
"kafka/librdkafka.ini": "bootstrap.servers=kafka1:9093\nsecurity.protocol=SASL_SSL\nsasl.username=shop\nsasl.password=@P@\n",
"zookeeper/jaas.conf": 'Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  user_super="@P@";\n};\n',
"laravel/.env": "APP_ENV=production\nDB_CONNECTION=mysql\nDB_HOST=db1\nDB_DATABASE=shop\nDB_USERNAME=shop\nDB_PASSWORD=@P@\n",
"laravel/redis.env": "REDIS_HOST=127.0.0.1\nREDIS_PASSWORD=@P@\nREDIS_PORT=6379\n",
"laravel/mail.env": "MAIL_MAILER=smtp\nMAIL_USERNAME=mailer\nMAIL_PASSWORD=@P@\n",
"thinkphp/.env": "[DATABASE]\nTYPE = mysql\nHOSTNAME = 127.0.0.1\nDATABASE = shop\nUSERNAME = shop\nPASSWORD = @P@\nHOSTPORT = 3306\n",
"thinkphp/database.php": "<?php\nreturn [\n    'type'     => 'mysql',\n    'hostname' => '127.0.0.1',\n    'database' => 'shop',\n    'username' => 'shop',\n    'password' => '@P@',\n    'hostport' => '3306',\n];\n",
"wordpress/wp-config.php": "<?php\ndefine( 'DB_NAME', 'shop' );\ndefine( 'DB_USER', 'shop' );\ndefine( 'DB_PASSWORD', '@P@' );\ndefine( 'DB_HOST', 'localhost' );\n",
"joomla/configuration.php": "<?php\nclass JConfig {\n\tpublic $host = 'localhost';\n\tpublic $user = 'shop';\n\tpublic $password = '@P@';\n\tpublic $db = 'shop';\n}\n",
"drupal/settings.php": "<?php\n$databases['default']['default'] = array (\n  'database' => 'shop',\n  'username' => 'shop',\n  'password' => '@P@',\n  'host' => 'localhost',\n  'driver' => 'mysql',\n);\n",
"nextcloud/config.php": "<?php\n$CONFIG = array (\n  'dbtype' => 'mysql',\n  'dbname' => 'nextcloud',\n  'dbuser' => 'nextcloud',\n  'dbpassword' => '@P@',\n);\n",
"magento/env.php": "<?php\nreturn ['db' => ['connection' => ['default' => ['host' => 'db1', 'dbname' => 'shop', 'username' => 'shop', 'password' => '@P@']]]];\n",
"gitea/app.ini": "[database]\nDB_TYPE = mysql\nHOST = db1:3306\nNAME = gitea\nUSER = gitea\nPASSWD = @P@\n",
"grafana/grafana.ini": "[database]\ntype = mysql\nhost = db1:3306\nname = grafana\nuser = grafana\npassword = @P@\n",
"zabbix/zabbix_server.conf": "DBHost=db1\nDBName=zabbix\nDBUser=zabbix\nDBPassword=@P@\n",
"airflow/airflow.cfg": "[database]\nsql_alchemy_conn = postgresql+psycopg2://airflow:@P@@db1/airflow\n",
"keycloak/keycloak.conf": "db=postgres\ndb-username=keycloak\ndb-password=@P@\ndb-url=jdbc:postgresql://db1/keycloak\n",
"sonarqube/sonar.properties": "sonar.jdbc.username=sonar\nsonar.jdbc.password=@P@\nsonar.jdbc.url=jdbc:postgresql://db1/sonar\n",
"compose/docker-compose.yml": "services:\n  db:\n    image: mysql:8\n    environment:\n      MYSQL_ROOT_PASSWORD: @P@\n      MYSQL_DATABASE: shop\n",
"compose/list.yml": "services:\n  db:\n    image: postgres:16\n    environment:\n      - POSTGRES_USER=shop\n      - POSTGRES_PASSWORD=@P@\n",
# Clients
"home/deploy/.pgpass": "# production\ndb1:5432:shop:shop:@P@\n",
"home/deploy/.my.cnf": "[client]\nuser=root\npassword=@P@\n",
"home/deploy/quoted.my.cnf": '[mysqldump]\nuser = backup\npassword = "@P@"\nhost = db1\n',
"home/deploy/.netrc": "machine repo1.internal\n  login deploy\n  password @P@\n",
"home/deploy/one-line.netrc": "machine repo1.internal login deploy password @P@\n",
"home/deploy/.pg_service.conf": "[shop]\nhost=db1\nport=5432\nuser=shop\npassword=@P@\ndbname=shop\n",
"home/deploy/.mongorc.js": 'db.auth("admin", "@P@");\n',
"oracle/run.sh": 'sqlplus -s hr/@P@@//ora1:1521/ORCLPDB1 @report.sql\n',
"oracle/rman.sh": 'rman target sys/@P@@ORCL catalog rman/x@CAT\n',
"oracle/load.par": "userid=hr/@P@@ORCL\ncontrol=load.ctl\n",
"oracle/quoted.sh": "sqlplus 'hr/\"@P@\"@ora1:1521/ORCL'\n",
"oracle/connect.sql": "CONNECT hr/@P@@ORCL\n",
"oracle/dblink.sql": "CREATE DATABASE LINK sales CONNECT TO hr IDENTIFIED BY @P@ USING 'sales';\n",
"oracle/user.sql": 'CREATE USER hr IDENTIFIED BY "@P@";\n',
"sql/grant.sql": "CREATE USER 'shop'@'%' IDENTIFIED BY '@P@';\n",
"sql/pg-role.sql": "CREATE ROLE shop WITH LOGIN PASSWORD '@P@';\n",
"sql/mssql.sql": "CREATE LOGIN shop WITH PASSWORD = N'@P@';\n",
"sql/replica.sql": "CHANGE MASTER TO MASTER_HOST='10.0.0.2', MASTER_USER='repl', MASTER_PASSWORD='@P@', MASTER_AUTO_POSITION=1;\n",
"sql/fdw.sql": "CREATE USER MAPPING FOR shop SERVER remote OPTIONS (user 'shop', password '@P@');\n",
"sql/subscription.sql": "CREATE SUBSCRIPTION s CONNECTION 'host=db1 user=repl dbname=shop password=@P@' PUBLICATION p;\n",
"redis/redis.conf": "bind 0.0.0.0\nrequirepass @P@\n",
"redis/sentinel.conf": "sentinel monitor mymaster 10.0.0.1 6379 2\nsentinel auth-pass mymaster @P@\n",
"redis/users.acl": "user app on >@P@ ~* +@all\n",
"mongo/mongod.js": 'db.createUser({ user: "shop", pwd: "@P@", roles: ["readWrite"] })\n',
"es/elasticsearch.output.yml": 'output.elasticsearch:\n  hosts: ["https://es1:9200"]\n  username: "elastic"\n  password: "@P@"\n',
"es/logstash.conf": 'output {\n  elasticsearch {\n    hosts => ["es1:9200"]\n    user => "elastic"\n    password => "@P@"\n  }\n}\n',
"rabbitmq/rabbitmq.conf": "default_user = shop\ndefault_pass = @P@\n",
"activemq/credentials.properties": "activemq.username=system\nactivemq.password=@P@\n",
"proxysql/proxysql.cnf": 'mysql_users:\n(\n  { username = "shop", password = "@P@", default_hostgroup = 0 }\n)\n',
"pgbouncer/pgbouncer.ini": "[databases]\nshop = host=10.0.0.2 port=5432 dbname=shop user=shop password=@P@\n",
"maxscale/maxscale.cnf": "[monitor]\ntype=monitor\nmodule=mariadbmon\nservers=s1\nuser=maxscale\npassword=@P@\n",
"samba/credentials": "username=svc\npassword=@P@\ndomain=CORP\n",
"etc/msmtprc": "account default\nhost smtp1\nuser mailer\npassword @P@\n",
"postfix/sasl_passwd": "[smtp1.internal]:587 mailer:@P@\n",
"datax/job.json": '{"job":{"content":[{"reader":{"name":"mysqlreader","parameter":{"username":"shop","password":"@P@","connection":[{"jdbcUrl":["jdbc:mysql://db1:3306/shop"]}]}}}]}}\n',
"flink/job.sql": "CREATE TABLE t (id INT) WITH (\n 'connector' = 'jdbc',\n 'url' = 'jdbc:mysql://db1:3306/shop',\n 'username' = 'shop',\n 'password' = '@P@'\n);\n",
"sqoop/run.sh": "sqoop import --connect jdbc:mysql://db1/shop --username shop --password @P@ --table t\n",
"influx/telegraf.conf": '[[outputs.influxdb]]\n  urls = ["http://influx1:8086"]\n  username = "telegraf"\n  password = "@P@"\n',
"influx/telegraf-mysql.conf": '[[inputs.mysql]]\n  servers = ["telegraf:@P@@tcp(127.0.0.1:3306)/"]\n',
}

def password():
    while True:
        text = "".join(rnd.choice(LETTERS) for _ in range(13))
        if any(c.isdigit() for c in text) and any(c.isupper() for c in text):
            return text

def main(top):
    expected = []
    def put(path, template, spelled):
        real, standin = Path(top, "real", path), Path(top, "standin", path)
        for file in (real, standin):
            file.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(template.replace("@P@", spelled))
        standin.write_text(template.replace("@P@", STANDINS[len(expected) % len(STANDINS)]))
        expected.append((path, spelled))
    for line in filter(None, URLS):
        scheme, user, where = line.split(" ")
        spelled = password()
        if len(expected) % 3 == 0:
            spelled = spelled[:5] + "%40" + spelled[5:]
        put(f"url/{scheme}.env", f"SERVICE_URL={scheme}://{user}:@P@@{where}\n", spelled)
    for path, template in FILES.items():
        put(path, template, password())
    for tree in ("real", "standin"):
        Path(top, tree, "etc/os-release").write_text("ID=test\n")
        Path(top, tree, "etc/passwd").write_text("deploy:x:1000:1000::/home/deploy:/bin/bash\n")
    Path(top, "expected.tsv").write_text("".join(f"{path}\t{spelled}\n" for path, spelled in sorted(expected)))

main(sys.argv[1])
