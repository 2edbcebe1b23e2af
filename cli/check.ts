/** `check`: a trace made elsewhere, judged with our oracles. */
import { readText } from '../campaign/litmus.ts';
import { UsageError } from '../campaign/options.ts';
import { judgeTrace, type TraceVerdict } from '../fuzz/casemate/judge.ts';
import { readCasemate, TraceFault } from '../fuzz/casemate/read.ts';
import { Exit, print, printJson, thousands } from './terminal.ts';

export interface CheckFlags {
  readonly json?: boolean;
}

export function checkTrace(file: string, flags: CheckFlags): number {
  const { records, judgements, overlooked, finding } = judge(file, readText(file));
  if (flags.json === true) {
    const found =
      finding === undefined
        ? { verdict: 'clean' }
        : {
            verdict: 'violation',
            oracle: finding.oracle,
            rule: finding.rule,
            line: finding.record.line,
            source: finding.record.source,
          };
    printJson({ command: 'check', file, records, judgements, overlooked, ...found });
  } else if (finding === undefined) {
    const rest = overlooked === 0 ? '' : `, ${thousands(overlooked)} entries not followed`;
    print(
      `${file}: clean (${thousands(records)} records, ${thousands(judgements)} judgements${rest})`,
    );
  } else {
    const { oracle, rule, record } = finding;
    print(`${file}:${record.line}: ${oracle} (${rule}), ${record.source}`);
  }
  return finding === undefined ? Exit.Clean : Exit.Finding;
}

function judge(file: string, text: string): TraceVerdict {
  try {
    return judgeTrace(readCasemate(text));
  } catch (error) {
    if (error instanceof TraceFault)
      throw new UsageError(`${file}:${error.line}:${error.column}: ${error.message}`);
    throw error;
  }
}
