/** Copies the pictures that the tests in a browser have taken to the guide. */

import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const pictures = process.env.DASHBOARD_PICTURES ?? fileURLToPath(new URL("../../target/dashboard", import.meta.url));
const taken = join(pictures, "guide");
const guide = fileURLToPath(new URL("../../docs/images/", import.meta.url));

if (!existsSync(taken)) {
  console.error(`there are no pictures in ${taken}: run \`npm run browser\` first`);
  process.exit(1);
}
mkdirSync(guide, { recursive: true });
for (const name of readdirSync(taken).filter((name) => name.endsWith(".png"))) {
  copyFileSync(join(taken, name), join(guide, name));
  console.log(`docs/images/${name}`);
}
