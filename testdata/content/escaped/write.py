"""Writes files with escapes: write.py planted|control FOLDER"""
import email.message
import email.policy
import html
import json
import mailbox
import pathlib
import subprocess
import sys
import urllib.parse

from django.utils.html import escapejs

kind, out = sys.argv[1], pathlib.Path(sys.argv[2])
planted = kind == "planted"


def key(suffix):
    return f"AKIAQ3EGRXWVJT5KL{suffix}" if planted else f"controlcontrolcon{suffix}"


def url(password):
    """A connection string, or one without a password."""
    return f"postgres://app:{password}@db.internal:5432/app" if planted else "postgres://db.internal:5432/app"


def run(program, text):
    return subprocess.run(program, input=text.encode(), check=True, capture_output=True).stdout.decode()


def mail(subject, body, encoding="quoted-printable"):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"] = "ops@example.org", "dev@example.org"
    message["Subject"], message["Date"] = subject, "Thu, 01 Jan 2026 00:00:00 +0000"
    message.set_content(body, cte=encoding)
    return message


def lines(text, count=40):
    return "\n".join(f"line {number} of a text that says little" for number in range(count)) + "\n" + text + "\n"


# The key stands where each of its parts may come to lie in the next line.
wide = "The credentials of the build account, which you asked for last week, follow: "


def text(length):
    """Words that end in a space."""
    return wide[:length - 1].ljust(length - 1, ".") + " "


for at, suffix in [(2, "3AA"), (6, "3AB"), (13, "3AC")]:
    body = lines(text(76 - at) + key(suffix) + " and that is all there is to say about it\xe9.")
    (out / f"cut-{at}.eml").write_bytes(bytes(mail("credentials", body)))
# A word in front of which the line breaks, and one that is escaped.
(out / "url.eml").write_bytes(bytes(mail("database", lines("URL=" + url("Zr9kQ2vLw7Xp") + "?sslmode=require\xe9"))))
(out / "deleted.eml").write_bytes(bytes(mail("deleted", lines(text(66) + key("3AD") + " was deleted\xe9"))))

# A message with an attachment, in a spool of three, and in a Maildir.
message = mail("report", lines("see attachment"))
message.add_attachment(lines("id = " + key("3AE")).encode(), maintype="application", subtype="octet-stream",
                       filename="keys.bin")
spool = mailbox.mbox(out / "spool")
for item in [mail("one", lines("nothing")), message, mail("two", lines(text(68) + key("3AF") + "\xe9"))]:
    spool.add(item)
spool.flush()
folder = mailbox.Maildir(out / "Maildir", create=True)
name = folder.add(mail("three", lines(text(67) + key("3AG") + "\xe9")))
next((out / "Maildir").glob("new/*")).rename(out / "Maildir" / "new" / "message")

perl = 'use MIME::QuotedPrint; local $/; print encode_qp(<STDIN>)'
body = run(["perl", "-e", perl], lines(text(64) + key("3AH") + " is the key"))
(out / "part.txt").write_text("Content-Transfer-Encoding: Quoted-Printable\n\n" + body)

# Percent-encoded: all of a connection string, a JSON text, one value; by hand of urllib and of jq.
(out / "access.log").write_text(
    f"GET /connect?url={urllib.parse.quote(url('Wq8mT3nRb5Yz'), safe='')}&x=1 HTTP/1.1\n"
    f"GET /api?q={urllib.parse.quote(json.dumps({'id': key('3AI'), 'x': 1}), safe='')} HTTP/1.1\n")
(out / "jq.txt").write_text(run(["jq", "-rR", "@uri"], '{"aws_access_key_id":"' + key("3AJ") + '"}'))
(out / "node.txt").write_text(run(
    ["node", "-e", "process.stdout.write(encodeURIComponent(require('fs').readFileSync(0)))"],
    "next=" + url("Hd4sV6jKc9Lf") + " "))

# Strings of JSON and JavaScript.
slashes = "use JSON::PP; local $/; print JSON::PP->new->escape_slash->encode({url => <STDIN>})"
(out / "slashes.json").write_text(run(["perl", "-e", slashes], url("Ng7bX2fPq4Sd")))
(out / "lines.json").write_text(json.dumps({"log": "first\n" + key("3AK") + "\nlast"}))
(out / "inner.json").write_text(json.dumps({"message": json.dumps({"text": "first\n" + key("3AL") + "\n"})}))
(out / "page.js").write_text("var url = '" + escapejs(url("Kt5gM8hBn3Wc")) + "';\n")

# Character references.
(out / "page.html").write_text("<pre>" + html.escape('id="' + key("3AM") + '"') + "</pre>\n"
                               "<i>" + "".join(f"&#{ord(c)};" if c in "/:@" else c for c in url("Jy6pD9tRv2Gk")) + "</i>\n")
