/** Runs are the same on another Node major. Fetches that Node from the registry, and fails without it. */
import { execFileSync } from 'node:child_process';
import test from 'ava';

const CAMPAIGN = [
  '--import=tsx',
  'cli/main.ts',
  'replay',
  'corpus/kvm-arm64/A20-table-level-as-hint.yaml',
  'kvm-arm64:5:17',
  '--json',
];

interface Replayed {
  readonly cases: readonly { readonly digest: string; readonly verdict: string }[];
}

function digests(command: string, args: readonly string[]): readonly string[] {
  const { cases } = JSON.parse(execFileSync(command, args, { encoding: 'utf8' })) as Replayed;
  return cases.map(({ digest, verdict }) => `${verdict} ${digest}`);
}

for (const major of [22, 24]) {
  test(`the same digests on Node ${major}`, (t) => {
    const here = digests(process.execPath, CAMPAIGN);
    const there = digests('npx', ['-y', '-p', `node@${major}`, 'node', ...CAMPAIGN]);
    t.is(here.length, 2);
    t.deepEqual(there, here);
  });
}
