export { MAX_MODULE_BYTES, moduleSize, readDecompressed } from './decompress.ts';
export {
  type Modinfo,
  type ModuleSummary,
  modinfoValues,
  type ReadOptions,
  readImports,
  readModinfo,
  readModule,
  readSummary,
} from './modinfo.ts';
export { type OpenOptions, openTree, writeMetadata } from './open.ts';
export * from './tree.ts';
export { storedPath, trimMetadata } from './trim.ts';
