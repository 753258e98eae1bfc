// Verifies a receipt (c2sp.org/tlog-proof) with what browsers have: SHA-256 and Ed25519. Nothing is fetched.
// What fails throws a Refusal, whose message is a word that the page has a sentence for.

export class Refusal extends Error {}

const HEADER = "c2sp.org/tlog-proof@v1\n";
const LOG = 1;
const WITNESS = 4;
const encode = (text) => new TextEncoder().encode(text);

function refuse(condition, word) {
  if (condition) throw new Refusal(word);
}

function fromBase64(text, word) {
  let bytes = null;
  try {
    bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    refuse(true, word);
  }
  refuse(btoa(String.fromCharCode(...bytes)) !== text, word);
  return bytes;
}

export function fromHex(text) {
  const digits = text.replace(/\s/g, "");
  refuse(!digits || digits.length % 2 || /[^0-9a-f]/i.test(digits), "notHexadecimal");
  return Uint8Array.from(digits.match(/../g), (pair) => parseInt(pair, 16));
}

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const same = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** Can this browser check such signatures, here? */
export async function canVerify() {
  try {
    // The base point: any point of the curve will do.
    await publicKey(Uint8Array.of(0x58, ...new Array(31).fill(0x66)));
    return true;
  } catch {
    return false;
  }
}

const publicKey = (bytes) => crypto.subtle.importKey("raw", bytes, { name: "Ed25519" }, false, ["verify"]);

/** Keys, a line each: name+hash+base64 of an algorithm's byte and the key. */
export async function readKeys(text) {
  const keys = [];
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(line) ?? [];
    refuse(!encoded, "notAKey");
    const bytes = fromBase64(encoded, "notAKey");
    const wanted = (await sha256(encode(name + "\n"), bytes)).slice(0, 4);
    refuse(bytes.length !== 33 || ![LOG, WITNESS].includes(bytes[0]) || !same(wanted, fromHex(id)), "notAKey");
    keys.push({ name, id: wanted, idText: id, kind: bytes[0], bytes: bytes.slice(1) });
  }
  return keys;
}

/** A receipt's index, its hashes and its checkpoint. */
export function readReceipt(text) {
  const whole = text.replace(/\r\n/g, "\n").replace(/^\s+/, "").replace(/\s*$/, "\n");
  const cut = whole.indexOf("\n\n");
  refuse(!whole.startsWith(HEADER) || cut < 0, "notAReceipt");
  const lines = whole.slice(HEADER.length, cut).split("\n");
  if (lines[0].startsWith("extra ")) lines.shift();
  const [, index] = /^index (0|[1-9][0-9]{0,18})$/.exec(lines.shift() ?? "") ?? [];
  refuse(index === undefined, "notAReceipt");
  const hashes = lines.map((line) => fromBase64(line, "notAReceipt"));
  refuse(hashes.length > 63 || hashes.some((hash) => hash.length !== 32), "notAReceipt");
  return { index: BigInt(index), hashes, ...readCheckpoint(whole.slice(cut + 2)) };
}

function readCheckpoint(note) {
  const cut = note.lastIndexOf("\n\n");
  refuse(cut < 0, "notAReceipt");
  const text = note.slice(0, cut + 1);
  const [origin, size, root] = text.split("\n");
  refuse(!/^(0|[1-9][0-9]{0,18})$/.test(size ?? ""), "notAReceipt");
  const signatures = note.slice(cut + 2).trimEnd().split("\n").map((line) => {
    const [, name, encoded] = /^\u2014 ([^+\s]+) (\S+)$/.exec(line) ?? [];
    refuse(!encoded, "notAReceipt");
    const bytes = fromBase64(encoded, "notAReceipt");
    return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) };
  });
  return { text, origin, size: BigInt(size), root: fromBase64(root ?? "", "notAReceipt"), signatures };
}

/** Who of these keys signed the checkpoint: its log, and witnesses with their times. */
async function signers(receipt, keys) {
  const found = { log: null, witnesses: [] };
  for (const key of keys) {
    const signed = receipt.signatures.find((each) => each.name === key.name && same(each.id, key.id));
    if (!signed) continue;
    let { signature } = signed;
    let message = receipt.text;
    let at = null;
    if (key.kind === WITNESS) {
      refuse(signature.length !== 72, "badSignature");
      at = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
      message = `cosignature/v1\ntime ${at}\n${receipt.text}`;
      signature = signature.slice(8);
    }
    const fits = await crypto.subtle.verify("Ed25519", await publicKey(key.bytes), signature, encode(message));
    refuse(!fits, "badSignature");
    if (key.kind === WITNESS) found.witnesses.push({ name: key.name, at });
    else if (key.name === receipt.origin) found.log = key;
  }
  refuse(!found.log, "notSigned");
  return found;
}

/** The root that a proof leads to from a leaf (RFC 9162, 2.1.3.2). */
async function rootFrom(leaf, index, size, hashes) {
  let [found, last, hash] = [index, size - 1n, leaf];
  for (const sibling of hashes) {
    refuse(last === 0n, "notIncluded");
    if (found & 1n || found === last) {
      hash = await nodeHash(sibling, hash);
      while (!(found & 1n) && found !== 0n) [found, last] = [found >> 1n, last >> 1n];
    } else {
      hash = await nodeHash(hash, sibling);
    }
    [found, last] = [found >> 1n, last >> 1n];
  }
  refuse(last !== 0n, "notIncluded");
  return hash;
}

/** Everything that the receipt proves of these bytes under these keys; throws a Refusal where it does not. */
export async function verify(receiptText, body, keyText) {
  const receipt = readReceipt(receiptText);
  const found = await signers(receipt, await readKeys(keyText));
  refuse(receipt.index >= receipt.size, "notIncluded");
  const leaf = await sha256(Uint8Array.of(0), body);
  const root = await rootFrom(leaf, receipt.index, receipt.size, receipt.hashes);
  refuse(!same(root, receipt.root), "notIncluded");
  return { index: receipt.index, size: receipt.size, ...found };
}
