// `./dev lint`, by the ESLint that tools/dev/check.sh has put into .deps/eslint: it finds its own rules there.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../.deps/eslint/package.json', import.meta.url));
const js = require('@eslint/js');
const globals = require('globals');

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: 'module', globals: globals.nodeBuiltin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-empty': ['error', { allowEmptyCatch: true }],
      'no-unused-vars': ['error', { caughtErrors: 'none' }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
    },
  },
  { files: ['**/*.cjs', '**/*.js'], languageOptions: { sourceType: 'commonjs', globals: globals.node } },
  // They catch what comes at a timeout, which no loop throws.
  { files: ['tests/*/functions/**'], rules: { 'no-unreachable': 'off' } },
];
