/** Oracles that judge only what a claim begins: left out where no card names it, and then nobody may make it. */
import test from 'ava';
import { Executor } from '../../fuzz/execution.ts';
import { Session } from '../../fuzz/session.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { findSystem } from '../../models/registry.ts';
import type { System } from '../../models/system.ts';
import { ORACLES } from '../../oracles/registry.ts';
import { InternalError } from '../../sim/assert.ts';
import type { Card } from '../../sim/card.ts';
import { Claim } from '../../sim/claims.ts';

const system = findSystem('kvm-arm64')!;
const configuration = system.configurations.find(({ id }) => id === 'exclusive-toy')!;

const mute = (card: Card): Card => ({
  ...card,
  claims: card.claims.filter((claim) => claim !== Claim.YoungAnswered),
});

/** The same code, whose cards do not say that they answer about recent use. */
const silent: System = {
  ...system,
  id: 'silent',
  operations: system.operations.map((spec) => ({
    ...spec,
    cardIn: (given, actor) => mute(spec.cardIn?.(given, actor) ?? spec.card),
  })),
};

test('an oracle is left out where no card names the claim that it needs', (t) => {
  t.true(new Session(system, configuration).oracles.has('accessed-bit'));
  t.false(new Session(silent, configuration).oracles.has('accessed-bit'));
});

test('a claim that no card names is an error where an oracle was left out for it', (t) => {
  const sessions = new Sessions({}, { systems: [silent], oracles: ORACLES });
  const target = { system: silent, configurations: [configuration], bugs: [] };
  const executor = new Executor(1, [target], undefined, sessions);
  const error = t.throws(
    () => {
      for (let index = 0; index < 400; index += 1) executor.run(index);
    },
    { instanceOf: InternalError },
  );
  t.regex(
    error.message,
    /claim young answered, which no card names: accessed-bit would not judge it/,
  );
});

const judged = (id: string, name: string): readonly string[] => {
  const found = findSystem(id)!;
  const shape = found.configurations.find((one) => one.id === name)!;
  return [...new Session(found, shape).oracles.keys()];
};

test('what has no object in a configuration is not attached there', (t) => {
  const about = ['freed-page', 'freed-table', 'permissions'];
  t.deepEqual(
    about.filter((oracle) => judged('kvm-arm64', 'exclusive-toy').includes(oracle)),
    about,
  );
  // who splits an entry puts back what was there, so that no card of a p2m bounds the rights that are stored
  t.deepEqual(
    about.filter((oracle) => judged('xen-arm', 'p2m-toy').includes(oracle)),
    ['freed-page', 'freed-table'],
  );
  // the hypervisor's own tables: nobody grants pages there, no table is freed, and cards say each entry to the bit
  t.deepEqual(
    about.filter((oracle) => judged('xen-arm', 'pt-toy').includes(oracle)),
    [],
  );
});

/** The same code on a machine that says that its operations free nothing. */
const hoarder: System = {
  ...system,
  id: 'hoarder',
  machine: (given) => ({ ...system.machine(given), frees: false }),
};

test('a page that is freed is an error where freed-table was left out for it', (t) => {
  t.false(new Session(hoarder, configuration).oracles.has('freed-table'));
  const sessions = new Sessions({}, { systems: [hoarder], oracles: ORACLES });
  const target = { system: hoarder, configurations: [configuration], bugs: [] };
  const executor = new Executor(1, [target], undefined, sessions);
  const error = t.throws(
    () => {
      for (let index = 0; index < 400; index += 1) executor.run(index);
    },
    { instanceOf: InternalError },
  );
  t.regex(error.message, /pages are freed where the machine says so/);
});
