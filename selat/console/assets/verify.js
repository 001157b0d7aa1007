// A receipt verified where it is read: SHA-256, Ed25519 and, where the browser has it, ML-DSA-44; nothing is asked of
// the server. A cosignature that this browser cannot check counts for nothing and is told.
// Formats: c2sp.org/tlog-proof, tlog-checkpoint, signed-note, tlog-cosignature, tlog-policy; RFC 9162 section 2.1.3.2.

const text = new TextEncoder();
const LOG = 1, WITNESS = 4, POST_QUANTUM = 6;

/** Why a receipt does not hold: `code` is a short name for it. */
export class Broken extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** This browser cannot tell: what is missing would be decided by a signature that it has no algorithm for. */
export class Unchecked extends Error {}

function fail(code) {
  throw new Broken(code);
}

function bytes(base64) {
  try {
    const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    if (btoa(String.fromCharCode(...raw)) !== base64) fail("bad-form");
    return raw;
  } catch {
    return fail("bad-form");
  }
}

const same = (a, b) => a.length === b.length && a.every((byte, n) => byte === b[n]);

function joined(...parts) {
  const made = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    made.set(part, at);
    at += part.length;
  }
  return made;
}

const sha256 = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
const leafHash = (leaf) => sha256(joined([0], leaf));
const nodeHash = (left, right) => sha256(joined([1], left, right));

function number(digits) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits)) fail("bad-form");
  return BigInt(digits);
}

/** The lines of a tlog-proof; nothing in it is checked yet. */
export function parseProof(proof) {
  const cut = proof.indexOf("\n\n");
  const lines = proof.slice(0, cut).split("\n");
  if (cut < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") fail("bad-form");
  if (!lines[0]?.startsWith("extra ")) fail("bad-form");
  const leaf = bytes(lines.shift().slice(6));
  if (!lines[0]?.startsWith("index ")) fail("bad-form");
  const index = number(lines.shift().slice(6));
  if (lines.length > 63) fail("bad-form");
  const path = lines.map(bytes);
  if (path.some((hash) => hash.length !== 32)) fail("bad-form");
  return { leaf, index, path, note: parseNote(proof.slice(cut + 2)) };
}

function parseNote(note) {
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) fail("bad-form");
  const body = note.slice(0, cut + 1);
  const signatures = note.slice(cut + 2, -1).split("\n").map((line) => {
    const found = line.match(/^— (\S+) (\S+)$/u) ?? fail("bad-form");
    const raw = bytes(found[2]);
    return { name: found[1], id: raw.slice(0, 4), value: raw.slice(4) };
  });
  const [origin, size, root] = body.split("\n");
  return { body, signatures, origin, size: number(size), root: bytes(root ?? "") };
}

async function parseKey(key) {
  const [name, id, ...rest] = key.split("+");
  const raw = bytes(rest.join("+"));
  const made = (await sha256(joined(text.encode(`${name}\n`), raw))).slice(0, 4);
  if ([...made].map((byte) => byte.toString(16).padStart(2, "0")).join("") !== id.toLowerCase()) fail("bad-key");
  return { name, id: made, kind: raw[0], bytes: raw.slice(1) };
}

/** Whom to believe: logs, witnesses, groups and the quorum of a tlog-policy file. */
export async function parseTrust(policy) {
  const trust = { logs: [], witnesses: new Map(), groups: new Map(), quorum: "none" };
  for (const line of policy.split("\n")) {
    const [verb, ...words] = line.trim().split(/[ \t]+/);
    if (!verb || verb.startsWith("#")) continue;
    if (verb === "log") trust.logs.push(await parseKey(words[0]));
    else if (verb === "witness") trust.witnesses.set(words[0], await parseKey(words[1]));
    else if (verb === "group") trust.groups.set(words[0], { needs: words[1], members: words.slice(2) });
    else if (verb === "quorum") trust.quorum = words[0];
    else fail("bad-form");
  }
  return trust;
}

async function signed(key, message, signature) {
  const imported = await crypto.subtle.importKey("raw", key.bytes, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", imported, signature, message);
}

/** Eight bytes, the highest first. */
function wide(value) {
  const made = new Uint8Array(8);
  new DataView(made.buffer).setBigUint64(0, value);
  return made;
}

const short = (name) => joined([text.encode(name).length], text.encode(name));

/** Whether a witness signed this head at the time it says; null where the browser lacks the algorithm. */
async function cosigned(key, note, value) {
  const time = new DataView(value.buffer, value.byteOffset).getBigUint64(0);
  if (key.kind === WITNESS) return signed(key, text.encode(`cosignature/v1\ntime ${time}\n${note.body}`), value.slice(8));
  const message = joined(text.encode("subtree/v1\n\0"), short(key.name), wide(time), short(note.origin), wide(0n), wide(note.size), note.root);
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw-public", key.bytes, "ML-DSA-44", false, ["verify"]);
  } catch (error) {
    if (error.name === "DataError") fail("bad-key");
    return null;
  }
  return crypto.subtle.verify("ML-DSA-44", imported, value.slice(8), message);
}

/** The root that a leaf at `index` leads to in a tree of `size`, over its path. RFC 9162 section 2.1.3.2. */
export async function rootOf(hash, index, size, path) {
  if (index >= size) fail("bad-form");
  let [at, last] = [index, size - 1n];
  for (const step of path) {
    if (last === 0n) fail("bad-root");
    if (at & 1n || at === last) {
      hash = await nodeHash(step, hash);
      while (!(at & 1n) && at !== 0n) [at, last] = [at >> 1n, last >> 1n];
    } else hash = await nodeHash(hash, step);
    [at, last] = [at >> 1n, last >> 1n];
  }
  if (last !== 0n) fail("bad-root");
  return hash;
}

function met(trust, name, seen) {
  if (name === "none") return true;
  if (trust.witnesses.has(name)) return seen.has(name);
  const group = trust.groups.get(name) ?? fail("bad-form");
  const count = group.members.filter((member) => met(trust, member, seen)).length;
  return count >= (group.needs === "all" ? group.members.length : group.needs === "any" ? 1 : Number(group.needs));
}

/** What a proof shows: `steps` that held, each a name with values, and the entry as JSON. Throws Broken. */
export async function verify(proof, policy) {
  const { leaf, index, path, note } = parseProof(proof);
  const trust = await parseTrust(policy);
  const steps = [["step-leaf", {}]];
  const root = await rootOf(await leafHash(leaf), index, note.size, path);
  if (!same(root, note.root)) fail("bad-root");
  steps.push(["step-path", { index: String(index), size: String(note.size) }]);
  const by = (key) => note.signatures.find((one) => one.name === key.name && same(one.id, key.id));
  const log = trust.logs.find((key) => key.kind === LOG && key.name === note.origin && by(key)) ?? fail("bad-key");
  if (!(await signed(log, text.encode(note.body), by(log).value))) fail("bad-signature");
  steps.push(["step-log", { name: log.name }]);
  const seen = new Set(), unchecked = new Set();
  for (const [name, key] of trust.witnesses) {
    const found = by(key);
    if (!found || ![WITNESS, POST_QUANTUM].includes(key.kind)) continue;
    if (found.value.length < 8) fail("bad-form");
    const holds = await cosigned(key, note, found.value);
    if (holds === false) fail("bad-signature");
    (holds ? seen : unchecked).add(name);
    if (holds) steps.push(["step-witness", { name }]);
  }
  for (const name of unchecked) steps.push(["step-unchecked", { name }]);
  if (!met(trust, trust.quorum, seen)) {
    if (met(trust, trust.quorum, new Set([...seen, ...unchecked]))) throw new Unchecked();
    fail("step-quorum");
  }
  return { steps, witnessed: seen.size > 0, unchecked: unchecked.size > 0, entry: JSON.parse(new TextDecoder().decode(leaf)) };
}
