// Reads an entry's bytes: fields of a length in four bytes and that many bytes (docs/ledger.md).

import { Refusal } from "./proof.js";

const MAGIC = "hourglass-entry-v1";
const SIDE_BYTES = 56;
const decode = (bytes) => new TextDecoder().decode(bytes);
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + (at + 4 <= bytes.length ? view.getUint32(at) : Infinity);
    if (end > bytes.length) throw new Refusal("notAnEntry");
    found.push(bytes.slice(at + 4, end));
    at = end;
  }
  return found;
}

function uuid(bytes) {
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function sides(bytes) {
  const found = [];
  for (let at = 0; at + SIDE_BYTES <= bytes.length; at += SIDE_BYTES) {
    const side = bytes.slice(at, at + SIDE_BYTES);
    const amount = new DataView(side.buffer).getBigInt64(48);
    found.push({ wallet: uuid(side.slice(0, 16)), asset: hex(side.slice(16, 48)), amount });
  }
  return found;
}

/** What kind of entry it is, when it was recorded, what it is about and the sides it moves or holds. */
export function readEntry(bytes) {
  const [magic, kind, instant, ...rest] = fields(bytes);
  if (!instant || decode(magic) !== MAGIC || instant.length !== 8) throw new Refusal("notAnEntry");
  const microseconds = new DataView(instant.buffer).getBigInt64(0);
  const withSides = ["TRANSFER", "HOLD"].includes(decode(kind));
  return {
    kind: `${decode(kind)} ${decode(rest[0] ?? new Uint8Array())}`,
    recordedAt: new Date(Number(microseconds / 1000n)),
    sides: withSides ? sides(rest[rest.length - 1]) : [],
    says: withSides ? "" : decode(rest[1] ?? new Uint8Array()),
  };
}
