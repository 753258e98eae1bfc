// CRC-32 (ISO-HDLC, as in zip) of a string of plain letters and digits.

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(text) {
  let sum = 0xffffffff;
  for (let at = 0; at < text.length; at++) sum = TABLE[(sum ^ text.charCodeAt(at)) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}
