/** `--load`: systems and oracles of the user's own, in every command and in worker threads. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { Event } from '../../sim/event.ts';
import { batch, inFolder, stagewright } from './run.ts';

const REPOSITORY = resolve('.');

/** The canary under another id, as a module outside of the repository. */
function moduleText(id: string): string {
  return `
import { SYSTEMS, defineOracle } from '${REPOSITORY}/api/index.ts';
const canary = SYSTEMS.find(({ id }) => id === 'canary')!;
export const systems = [{ ...canary, id: '${id}', isListed: true }];
export const oracles = [defineOracle({
  id: 'counts-uses', claim: 'a guest uses memory', listens: [${Event.Use}],
  create: () => ({ judgements: 0, reset() {}, onEvent() { this.judgements += 1; } }),
})];
`;
}

interface Found {
  readonly findings: readonly { readonly signature: string }[];
  readonly systems: readonly { readonly system: string; readonly oracles: object }[];
}

test('a loaded system is fuzzed by one process and by threads alike, minimised, kept and verified', async (t) => {
  await inFolder(async (folder) => {
    const file = join(folder, 'own.mts');
    writeFileSync(file, moduleText('own'));
    const fuzz = [
      'fuzz',
      'own',
      '--load',
      file,
      '--bug',
      'canary-free',
      '--runs',
      '4000',
      '--json',
    ];
    const out = join(folder, 'found');
    const one = await stagewright([...fuzz, '--jobs', '1', '--out', out]);
    t.is(one.code, 1, one.stderr);
    const two = await stagewright([...fuzz, '--jobs', '2']);
    const [alone, threads] = [one, two].map(({ stdout }) => JSON.parse(stdout) as Found);
    const signatures = ({ findings }: Found) => findings.map(({ signature }) => signature);
    t.true(alone!.findings.length > 0);
    t.deepEqual(signatures(threads!), signatures(alone!));
    t.true('counts-uses' in alone!.systems[0]!.oracles);
    const [without, verified] = await batch([
      ['corpus', 'verify', out],
      ['corpus', 'verify', out, '--load', file],
    ]);
    t.is(verified!.code, 0, verified!.stdout);
    t.is(without!.code, 2);
    t.regex(without!.stdout, /unknown system "own"/);
  });
});

test('what cannot be loaded is named in one line', async (t) => {
  await inFolder(async (folder) => {
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const empty = write('empty.mjs', 'export const x = 1;');
    const broken = write('broken.mts', 'export const systems = [;');
    const twice = write('twice.mts', moduleText('canary'));
    const plain = write('plain.ts', moduleText('plain'));
    const named = write('named.mjs', "export const systems = [{ id: 'No Id' }];");
    const files = [join(folder, 'none.ts'), empty, broken, twice, named, plain];
    const outcomes = await batch(files.map((file) => ['list', 'systems', '--load', file]));
    const says = [
      /cannot load .*none\.ts: no such file/,
      /empty\.mjs exports neither "systems" nor "oracles"/,
      /cannot load .*broken\.mts: /,
      /twice\.mts: there is a system "canary" already/,
      /named\.mjs: "No Id" is no id/,
      /cannot load .*plain\.ts: its package\.json has no "type": "module"/,
    ];
    outcomes.forEach(({ code, stderr }, index) => {
      t.is(code, 2, files[index]);
      t.regex(stderr, says[index]!);
    });
  });
});
