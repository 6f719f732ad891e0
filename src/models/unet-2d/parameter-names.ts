/** The layers of attention as files of before diffusers 0.16 name them. */
const names: Readonly<Record<string, string>> = {
  query: "to_q",
  key: "to_k",
  value: "to_v",
  proj_attn: "to_out.0",
};

/** The present name of a parameter that an older file may name otherwise. */
export function presentParameterName(name: string): string {
  return name.replace(
    /(\battentions\.\d+\.)(query|key|value|proj_attn)(?=\.)/,
    (_, place: string, layer: string) => place + names[layer],
  );
}
