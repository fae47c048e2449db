"""What the scripts share that plant tokens on a volume: tokens and texts, and where each token is."""
import base64, hashlib, json, os, subprocess, sys

FILL = b'nothing to see here, move along\n'


def run(*command, text=True, **options):
    return subprocess.run(command, check=True, capture_output=True, text=text, **options).stdout


def put(root, path, content):
    full = root + path
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, 'wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def patch(image, offset, content):
    with open(image, 'r+b') as file:
        file.seek(offset)
        file.write(content)


class Planting:
    """The tokens of a volume; without them, as many harmless letters. The tokens of volumes differ by their salt."""

    def __init__(self, salt=b''):
        self.salt = salt
        self.planted = True
        self.truth = []

    def token(self, label):
        """An access key id of its own for each label."""
        if not self.planted:
            return b'move along now, pleas'[:20]
        return b'AKIA' + base64.b32encode(hashlib.sha256(self.salt + label.encode()).digest())[:16]

    def body(self, size, *places):
        """`size` bytes of text with tokens at offsets: (offset, label)."""
        text = bytearray((FILL * (size // len(FILL) + 1))[:size])
        for offset, label in places:
            text[offset - 1:offset + 21] = b' ' + self.token(label) + b' '
        return bytes(text)

    def expect(self, label, state, path=None, **more):
        """Notes where a token is."""
        if self.planted:
            self.truth.append({'label': label, 'token': self.token(label).decode(), 'state': state, 'path': path, **more})

    def pack(self, image, target, scattered):
        """Writes TARGET.img.zst and, with tokens, TARGET.jsonl; each token must be in the image, but for those
        whose label starts with one of the words of `scattered`. Returns the image's content."""
        run('zstd', '-q', '-f', '-19', image, '-o', target + '.img.zst')
        with open(image, 'rb') as file:
            content = file.read()
        if self.planted:
            with open(target + '.jsonl', 'w') as file:
                file.writelines(json.dumps(line) + '\n' for line in self.truth)
            for line in self.truth:
                if line['token'].encode() not in content and not line['label'].startswith(scattered):
                    sys.exit('%s is nowhere on the volume' % line['label'])
        return content
