// Draws what the first figure shows before anything is computed: node --conditions unnoise-source draw-opening.ts FOLDER
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeDrawer } from "../../figures/common/test-data.ts";
import { drawMoments } from "../../figures/opening/model.ts";
import { packMoments } from "../../figures/opening/moments.ts";
import { FIRST_SEED } from "../../figures/opening/settings.ts";

const drawer = await nodeDrawer();
const file = await packMoments(await drawMoments(drawer, FIRST_SEED));
await drawer.backend.close();
await writeFile(join(process.argv[2], "opening.bin"), file);
