export default {
  files: ['test/external/**/*.external.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=tsx'],
  timeout: '300s',
  workerThreads: false,
};
