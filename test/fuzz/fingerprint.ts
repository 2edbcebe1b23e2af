/**
 * Everything that two runs of one campaign must have in common, as text: digests, generator states,
 * findings and their minimised cases. Run as a program, it prints the fingerprint of its arguments,
 * so that two processes can be compared.
 */
import { pathToFileURL } from 'node:url';
import { targetsOf } from '../../campaign/options.ts';
import { formatCase } from '../../fuzz/case-text.ts';
import { Executor } from '../../fuzz/execution.ts';
import { describeFinding } from '../../fuzz/explain.ts';
import { makeFinding } from '../../fuzz/finding.ts';
import { Sessions } from '../../fuzz/sessions.ts';
import { coarseSignature } from '../../fuzz/signature.ts';
import { canary } from '../../models/canary/index.ts';

export interface Fingerprint {
  readonly executions: readonly string[];
  /** By signature: the minimised case, as it would be written to a file. */
  readonly cases: Readonly<Record<string, string>>;
}

const MINIMISE_RUNS = 600;

/** Runs executions 0 to `runs` of a campaign over kvm-arm64, correct and with a bug, and the canary. */
export function fingerprint(seed: number, runs: number, sessions = new Sessions()): Fingerprint {
  const targets = [
    ...targetsOf(request(['kvm-arm64'], [])),
    ...targetsOf(request(['kvm-arm64'], ['A07'])),
    ...targetsOf(
      request(
        ['canary'],
        canary.bugs.map(({ id }) => id),
      ),
    ),
  ];
  const executor = new Executor(seed, targets, undefined, sessions);
  const executions: string[] = [];
  const cases: Record<string, string> = {};
  for (let index = 0; index < runs; index += 1) {
    const { result, session, strategy, draft, states } = executor.run(index);
    const { digest, steps, events, vacuous, violation } = result;
    const signature = violation === undefined ? 'clean' : coarseSignature(session, violation);
    const place = `${session.system.id} ${session.configuration.id} ${strategy}`;
    executions.push([place, digest, steps, events, vacuous, signature, ...states()].join(' '));
    if (violation === undefined || cases[signature] !== undefined) continue;
    const plan = { program: draft.program, parameters: draft.parameters, order: [], choices: [] };
    const { answers } = session;
    const found = makeFinding(sessions, session, plan, answers, describeFinding, MINIMISE_RUNS);
    cases[signature] = found === undefined ? 'not reproduced' : formatCase(found.case);
  }
  return { executions, cases };
}

function request(systems: string[], bugs: string[]): Parameters<typeof targetsOf>[0] {
  return { systems, bugs, configuration: undefined, fidelity: undefined };
}

const [, main = '', seed = '0', runs = '0'] = process.argv;
if (import.meta.url === pathToFileURL(main).href) {
  process.stdout.write(JSON.stringify(fingerprint(Number(seed), Number(runs))));
}
