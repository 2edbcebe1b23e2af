/** What is wrong with a litmus test, and where: the command line prefixes the file's name. */
export class SyntaxFault extends Error {
  readonly line: number;
  readonly column: number;

  /** @param line 1 is the first */
  constructor(line: number, column: number, message: string) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

/** The test is well formed, and uses what this machine does not have. */
export class Unsupported extends Error {}
