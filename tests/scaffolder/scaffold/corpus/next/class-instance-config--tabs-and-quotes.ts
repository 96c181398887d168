import { ConfigBuilder } from "./build/config-builder";

export default new ConfigBuilder().withImages().build();
