import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cached } from '../cache.ts';
import { type Document, document, type ManifestFile, type MediumManifest } from './manifest.ts';
import type { Package } from './packages.ts';

/** Raise it when the same manifest would give another document. */
const FORMAT = 1;

/** Where a package does not say who made it. */
const VENDORS: Partial<Record<Package['type'], string>> = { deb: 'debian', alpm: 'arch', apk: 'alpine' };

/**
 * The medium's software bill of materials, CycloneDX 1.6: one component a package, one a file that belongs to none. It
 * follows from the manifest alone, serial number and time included, so it is made once for each.
 * @param sha256 of the manifest's document
 */
export async function sbomDocument(manifest: MediumManifest, sha256: string): Promise<Document> {
  const { version } = createRequire(import.meta.url)('@cyclonedx/cyclonedx-library/package.json');
  const path = await cached('sbom', `${sha256}-${version}-${FORMAT}.json`, async (temporary) => {
    await writeFile(temporary, await serialise(manifest, sha256));
  });
  return document(await readFile(path, 'utf8'));
}

async function serialise(manifest: MediumManifest, sha256: string): Promise<string> {
  const [{ Enums, Models, Serialize, Spec }, { PackageURL }] = await Promise.all([
    import('@cyclonedx/cyclonedx-library'),
    import('packageurl-js'),
  ]);
  const url = ({ type, vendor = VENDORS[type], name, version, architecture }: Package) => {
    const [, group, bare = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
    const qualifiers = architecture ? { arch: architecture } : undefined;
    return new PackageURL(type, group ?? vendor, bare, version, qualifiers, undefined).toString();
  };
  const bom = new Models.Bom({ serialNumber: `urn:uuid:${uuid(sha256)}` });
  bom.metadata.timestamp = new Date(manifest.created);
  bom.metadata.component = new Models.Component(Enums.ComponentType.OperatingSystem, manifest.name, {
    bomRef: 'medium',
    version: sha256.slice(0, 12),
  });
  const [tool = '', toolVersion] = manifest.generator.split(' ');
  bom.metadata.tools.components.add(
    new Models.Component(Enums.ComponentType.Application, tool, { version: toolVersion }),
  );
  for (const { id, ...owner } of manifest.packages) {
    const type = id === manifest.kernel.package ? Enums.ComponentType.OperatingSystem : Enums.ComponentType.Application;
    const purl = url(owner);
    bom.components.add(new Models.Component(type, owner.name, { bomRef: purl, version: owner.version, purl }));
  }
  for (const file of ownerless(manifest.files)) {
    const hashes = new Models.HashDictionary([[Enums.HashAlgorithm['SHA-256'], file.sha256]]);
    const options = { bomRef: `${file.segment}:${file.path}`, version: file.sha256.slice(0, 12), hashes };
    bom.components.add(new Models.Component(Enums.ComponentType.File, file.path, options));
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

/** Files whose package nobody knows. */
const ownerless = (files: readonly ManifestFile[]) => files.filter((file) => file.package === null);

/** Version 8 (RFC 9562: made by a rule of our own). */
function uuid(sha256: string): string {
  const digits = `${sha256.slice(0, 12)}8${sha256.slice(13, 16)}a${sha256.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
