/**
 * `node --import=tsx bench/pool-orders.ts CONFIGURATION [EVERY]`: the allocator of pkvm under every program of two CPUs with three calls
 * each, or one in so many of them, each in every inequivalent order (docs/explore.md). Figures are in models/pkvm/README.md; a test runs
 * all smaller programs.
 */
import { explore } from '../fuzz/explore/explore.ts';
import type { ActorProgram, ProgramOperation } from '../fuzz/program.ts';
import { Session } from '../fuzz/session.ts';
import { findSystem } from '../models/registry.ts';

/** Blocks of one page, two, and all; one reference dropped; a block made single pages; a page from outside. */
const CALLS: readonly (readonly [operation: string, ...args: number[]])[] = [
  ['allocate', 0],
  ['allocate', 1],
  ['allocate', 3],
  ['adopt'],
  ['put', 0],
  ['split', 0],
];
/** Calls that make sense without a page. */
const FIRST_CALLS = 4;

/** Every sequence of calls; what needs a page does not come first. */
export function sequences(length: number): readonly (readonly ProgramOperation[])[] {
  const list: ProgramOperation[][] = [];
  const extend = (calls: readonly number[]): void => {
    if (calls.length === length) {
      list.push(
        calls.map((call, index) => {
          const [operation, ...args] = CALLS[call]!;
          return { key: `${operation[0]}${index + 1}`, operation, args };
        }),
      );
      return;
    }
    const count = calls.length === 0 ? FIRST_CALLS : CALLS.length;
    for (let call = 0; call < count; call += 1) extend([...calls, call]);
  };
  extend([]);
  return list;
}

export interface Orders {
  programs: number;
  /** Programs whose every order was run. */
  complete: number;
  executions: number;
  classes: number;
  readonly findings: string[];
}

/** Explores all programs of two CPUs that make one of the sequences each, or one in `every`; CPUs are alike. */
export function exploreOrders(session: Session, calls: number, every = 1): Orders {
  const all = sequences(calls);
  const sum: Orders = { programs: 0, complete: 0, executions: 0, classes: 0, findings: [] };
  let number = 0;
  all.forEach((first, index) => {
    for (const second of all.slice(index)) {
      number += 1;
      if (number % every !== 0) continue;
      const program: readonly ActorProgram[] = [
        { actor: 'vcpu0', operations: first },
        { actor: 'vcpu1', operations: second },
      ];
      const result = explore(session, { program, parameters: {} }, {});
      sum.programs += 1;
      if (result.complete && result.truncated === 0) sum.complete += 1;
      sum.executions += result.executions;
      sum.classes += result.classes;
      sum.findings.push(...result.findings.map(({ signature }) => signature));
    }
  });
  return sum;
}

if (process.argv[1]?.endsWith('pool-orders.ts')) {
  const system = findSystem('pkvm')!;
  const configuration = system.configurations.find(({ id }) => id === process.argv[2])!;
  const { findings, ...figures } = exploreOrders(
    new Session(system, configuration),
    3,
    Number(process.argv[3] ?? 1),
  );
  process.stdout.write(`${JSON.stringify({ ...figures, findings: findings.length })}\n`);
  for (const signature of new Set(findings)) process.stdout.write(`${signature}\n`);
}
