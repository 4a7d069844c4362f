/** What follows the scheme of an address like `disk:/dev/sda3/back%20up`, as people mean it. */
export function placeOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}
