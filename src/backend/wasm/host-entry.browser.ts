import { hostBackend } from "../remote/backend-host.ts";
import * as platform from "./threads.browser.ts";
import { WasmBackend } from "./wasm-backend.ts";

hostBackend(self, ({ threads }) => WasmBackend.create(platform, { threads }));
