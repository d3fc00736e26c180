import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // The client is linked from its folder, which must not bring a React of its own.
  resolve: { dedupe: ["react"] },
  build: { outDir: "build" },
});
