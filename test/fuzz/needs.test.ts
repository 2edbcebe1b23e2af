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
