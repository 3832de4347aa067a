// Evaluates expressions with feelin: one JSON object with id, expr and vars a
// line on standard input, one with id and value or error a line on standard output.
import { createInterface } from 'node:readline';
import { evaluate } from 'feelin';

// plain makes a value JSON: numbers and texts as they are, temporal values and
// durations as text, ranges and functions by their kind.
function plain(v) {
  if (v === null || v === undefined) return null;
  if (typeof v === 'number') return Number.isFinite(v) ? v : { kind: 'number', text: String(v) };
  if (typeof v === 'string' || typeof v === 'boolean') return v;
  if (Array.isArray(v)) return v.map(plain);
  if (typeof v === 'function') return { kind: 'function' };
  const kind = v.constructor?.name ?? 'Object';
  if (kind === 'Object') return { kind: 'context', entries: Object.entries(v).map(([key, value]) => [key, plain(value)]) };
  if (kind === 'Range') return { kind: 'range' };
  if (kind === 'FunctionWrapper') return { kind: 'function' };
  return { kind, text: String(v) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, expr, vars } = JSON.parse(line);
  let answer;
  try {
    const result = evaluate(expr, vars);
    answer = { id, value: plain(result.value), warnings: (result.warnings ?? []).map((w) => w.message) };
  } catch (error) {
    answer = { id, error: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
