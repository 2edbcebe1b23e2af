// Judges a coverage summary (c8's json-summary) against thresholds by folder.

/** Sums of some files, as percentages. */
function shares(files) {
  const share = (what) => {
    const total = files.reduce((sum, one) => sum + one[what].total, 0);
    const covered = files.reduce((sum, one) => sum + one[what].covered, 0);
    return total === 0 ? 100 : (100 * covered) / total;
  };
  return { statements: share('statements'), branches: share('branches') };
}

/**
 * One line for each folder; a folder without files is low.
 * @param files name and counts of each file
 * @param thresholds by folder, percentages of statements and branches
 */
export function judge(files, thresholds) {
  return Object.entries(thresholds).map(([folder, wanted]) => {
    const own = files.filter(({ name }) => name.startsWith(`${folder}/`));
    const found = shares(own);
    const kinds = Object.keys(wanted);
    const isLow = own.length === 0 || kinds.some((what) => found[what] < wanted[what]);
    const numbers = kinds.map(
      (what) => `${what} ${found[what].toFixed(2)} % (at least ${wanted[what]} %)`,
    );
    return { folder, isLow, text: `${isLow ? 'LOW ' : 'ok  '} ${folder}: ${numbers.join(', ')}` };
  });
}

const RUNTIME =
  /^\s*(?:export\s+)?(?:const|let|var|function|class|async|enum|new)\b|^\s*export\s*(?:\{|\*)/m;

/** Whether a source is types only: nothing of it is left to run, so nothing can be covered. */
export function isTypesOnly(source) {
  return !RUNTIME.test(source.replace(/\/\*[\s\S]*?\*\//g, ''));
}
