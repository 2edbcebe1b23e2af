/** Prints Node's version and the digest of the first executions of each configuration: to compare versions. */
import { Executor } from '../fuzz/execution.ts';
import { Sessions } from '../fuzz/sessions.ts';
import { SYSTEMS } from '../models/registry.ts';

const SEED = 7;
const RUNS = 60;
/** Real geometries are slow. */
const REAL_RUNS = 3;

process.stdout.write(`${process.version}\n`);
for (const system of SYSTEMS) {
  for (const configuration of system.configurations) {
    const targets = [{ system, configurations: [configuration], bugs: [] }];
    const executor = new Executor(SEED, targets, undefined, new Sessions());
    for (let index = 0; index < (configuration.isReal ? REAL_RUNS : RUNS); index += 1) {
      const { digest } = executor.run(index).result;
      process.stdout.write(`${system.id} ${configuration.id} ${index} ${digest}\n`);
    }
  }
}
