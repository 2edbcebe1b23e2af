// The same digests on other majors of Node: fetches each from the registry, and fails when one differs.
import { execFileSync } from 'node:child_process';

const MAJORS = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24'];
const PROGRAM = ['node', '--import=tsx', 'test/digests.ts'];
const DIGESTS_MIN = 1000;

function print(line) {
  process.stdout.write(`${line}\n`);
}

const found = MAJORS.map((major) => {
  const args = ['-y', '-p', `node@${major}`, ...PROGRAM];
  const lines = execFileSync('npx', args, { encoding: 'utf8' }).trim().split('\n');
  const [version, ...digests] = lines;
  if (!version.startsWith(`v${major}.`)) throw new Error(`asked for Node ${major}, got ${version}`);
  if (digests.length < DIGESTS_MIN) throw new Error(`only ${digests.length} digests`);
  print(`${version}: ${digests.length} digests`);
  return { major, digests };
});

const [first, ...others] = found;
let differences = 0;
for (const { major, digests } of others) {
  first.digests.forEach((digest, index) => {
    if (digests[index] === digest) return;
    differences += 1;
    if (differences <= 10)
      print(`Node ${first.major}: ${digest}; Node ${major}: ${digests[index]}`);
  });
}
print(differences === 0 ? `the same on Node ${MAJORS.join(', ')}` : `${differences} differ`);
process.exitCode = differences === 0 ? 0 : 1;
