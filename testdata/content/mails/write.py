"""Writes mails whose parts are in Base64: write.py planted|control FOLDER"""
import email.message
import email.policy
import gzip
import io
import mailbox
import pathlib
import random
import sys
import zipfile

kind, out = sys.argv[1], pathlib.Path(sys.argv[2])
numbers = random.Random(1)
# Text that does not start in ASCII, so that its Base64 looks like any other.
chinese = "您好，这是关于生产环境访问密钥的说明，请妥善保管，不要泄露给任何人。谢谢大家的配合与支持！\n"
german = "Grüße, hier die Zugangsdaten für äöü. "


def key(suffix):
    return f"AKIAQ3EGRXWVJT5KL{suffix}" if kind == "planted" else f"controlcontrolcon{suffix}"


def mail(text, encoding="base64"):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = "ops@example.org", "dev@example.org"
    message["Subject"], message["Date"] = "x", "Thu, 01 Jan 2026 00:00:00 +0000"
    message.set_content(text, cte=encoding)
    return message


def attached(content, name, subtype="octet-stream"):
    message = mail("see below", "7bit")
    message.add_attachment(content, maintype="application", subtype=subtype, filename=name)
    message.set_boundary("===============1==")
    return message


def zipped(suffix, noise=0):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("noise"), numbers.randbytes(3000) * (noise // 3000))
        info = zipfile.ZipInfo("conf")
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, f"aws_access_key_id = {key(suffix)}\n")
    return content.getvalue()


def write(name, message):
    (out / name).write_bytes(bytes(message))


write("chinese.eml", mail(chinese * 6 + "密钥: " + key("4AA") + "\n" + chinese * 3))
write("german.eml", mail(german + key("4AB") + " viel Spaß\n"))
write("zip.eml", attached(zipped("4AC"), "a.zip", "zip"))
# Larger than the window in which most of what is encoded is read.
write("large.eml", attached(zipped("4AD", 1_200_000), "large.zip", "zip"))
write("wide.eml", attached(("\ufeffid = " + key("4AE") + "\r\n").encode("utf-16-le"), "wide.txt"))
write("bytes.eml", attached(bytes(range(256)) + f"\nid = {key('4AF')}\n".encode(), "some.bin"))
inner = mail(german + key("4AG"))
outer = mail("forwarded", "7bit")
outer.add_attachment(inner)
outer.set_boundary("===============2==")
write("forwarded.eml", outer)
write("deleted.eml", mail(german + key("4AH") + " viel Spaß\n"))

spool = mailbox.mbox(out / "spool")
for message in [mail("nothing\u00e9", "quoted-printable"), mail(chinese + key("4AI")), attached(zipped("4AJ"), "a.zip"),
                mail("nothing\u00e9" * 30, "quoted-printable"), mail(german + key("4AK"))]:
    spool.add(mailbox.mboxMessage(message))
spool.flush()
spool = (out / "spool").read_bytes()
(out / "spool.1.gz").write_bytes(gzip.compress(spool, mtime=0))
# A long part in quoted-printable: nothing beside its words shows that it is one.
text = "".join(f"line {number} of a text that says little\n" for number in range(3000))
body = text + "." * 73 + " " + key("4AL") + " \u00e9\n" + text
write("long.eml", mail(body, "quoted-printable"))
