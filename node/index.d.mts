// Types of the ESM entry point: the same as CommonJS has.
export * from './index.cjs';
import * as lambed from './index.cjs';
export default lambed;
