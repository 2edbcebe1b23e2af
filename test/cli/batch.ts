/**
 * Runs many command lines in one process, through the same `main` as the program: starting Node and
 * loading everything costs more than what most commands do. Reads a JSON list of command lines from
 * STAGEWRIGHT_BATCH and prints a JSON list of outcomes as its last line.
 */
import { main } from '../../cli/main.ts';
import type { Outcome } from './run.ts';

type Write = typeof process.stdout.write;

async function captured(args: readonly string[]): Promise<Outcome> {
  const streams = [process.stdout, process.stderr] as const;
  const texts = ['', ''];
  const originals = streams.map((stream) => stream.write);
  streams.forEach((stream, i) => {
    stream.write = ((text: string) => {
      texts[i] += text;
      return true;
    }) as Write;
  });
  try {
    const code = await main(args);
    return { code, stdout: texts[0]!, stderr: texts[1]! };
  } finally {
    streams.forEach((stream, i) => {
      stream.write = originals[i] as Write;
    });
  }
}

const outcomes: Outcome[] = [];
for (const args of JSON.parse(process.env.STAGEWRIGHT_BATCH ?? '[]') as string[][]) {
  outcomes.push(await captured(args));
}
process.stdout.write(`\n${JSON.stringify(outcomes)}`);
process.exitCode = 0;
