import { hostBackend } from "./remote/backend-host.ts";
import * as platform from "./wasm/platform.browser.ts";
import { WasmBackend } from "./wasm/wasm-backend.ts";

hostBackend(self, ({ threads }) => WasmBackend.create(platform, { threads }));
