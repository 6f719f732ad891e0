import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { describeBackend } from "./contract.ts";

describeBackend("reference", () => ReferenceBackend.create());
